"""Pooling by maxima and averages."""

from __future__ import annotations

import numpy as np

from caffe_compat.engines.fast.steps.base import LEAST_NUMBERS, Blobs, Calls, Step, shared
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels import step_functions
from caffe_compat.layers.kernels.scratch import apart
from caffe_compat.layers.pooling import Pooling
from caffe_compat.prototxt.caffe_pb2 import PoolingParameter


class Pools(Step):
    """Pooling over two axes, with one top."""

    @staticmethod
    def fits(layer: Layer) -> bool:
        return (
            type(layer) is Pooling
            and layer.dtype == np.float32
            and layer.layer_param.pooling_param.pool in (PoolingParameter.MAX, PoolingParameter.AVE)
            and len(layer.layer_param.top) == 1
        )

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        (bottom,), (top,), layer = bottoms[0], tops[0], self.layers[0]
        assert isinstance(layer, Pooling)
        if len(bottom.shape) != 4:
            return None
        images, channels, height, width = bottom.shape
        maxima = layer.layer_param.pooling_param.pool == PoolingParameter.MAX
        row = self.row(
            function=step_functions.pool.address,
            parts=shared(bottom.count, LEAST_NUMBERS // 4, threads),
            images=images, channels=channels, height=height, width=width,
            out_height=top.shape[2], out_width=top.shape[3], offsets=layer.window,
            bottom=bottom, top=top,
            scratch_size=2 * apart(layer.work_size(bottom.shape, top.shape)) if maxima else 0,
        )  # fmt: skip
        return [row]
