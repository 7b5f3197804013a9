"""Maxima over volumes: first of each slice's windows, then of those that lie one behind the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.steps.pooling import pooled
from caffe_compat.engines.fast.steps.step import Blobs, Calls, Step
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.windows import Window
from caffe_compat.layers.pooling import Pooling
from caffe_compat.layers.pooling3d import Pooling3D
from caffe_compat.layers.pooling_nd import PoolingND
from caffe_compat.prototxt.caffe_pb2 import Pooling3DParameter, PoolingNDParameter


class VolumeMaxima(Step):
    """MAX over three axes, with one top: Pooling, PoolingND and Pooling3D."""

    def __init__(self, layers: Sequence[Layer]):
        super().__init__(layers)
        self._slices = Blob()  # what is left of each slice

    @staticmethod
    def fits(layer: Layer) -> bool:
        return len(_windows(layer)) == 3 and len(layer.layer_param.top) == 1

    @staticmethod
    def keeps_enough(layer: Layer) -> bool:
        return type(layer) is Pooling3D

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        return len(bottoms[0][0].shape) > 3

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        (bottom,), (top,) = bottoms[0], tops[0]
        (depth, *size), (out_depth, *out_size) = bottom.shape[-3:], top.shape[-3:]
        # a longer stride leads beyond the padding, as this one does
        windows = np.array(
            [
                (kernel, min(stride, length + 2 * pad), pad)
                for (kernel, stride, pad), length in zip(
                    _windows(self.layers[0]), bottom.shape[-3:], strict=True
                )
            ],
            np.int64,
        )
        self._slices.reshape(*bottom.shape[:-2], *out_size)
        of_slices = pooled(self, True, windows[1:], bottom, self._slices, size, out_size, threads)
        along = np.array([windows[0], (1, 1, 0)])
        area = math.prod(out_size)
        sizes = (depth, area), (out_depth, area)
        return [of_slices, pooled(self, True, along, self._slices, top, *sizes, threads)]


def _windows(layer: Layer) -> Sequence[Window]:
    """Those of a layer that takes maxima of neighbours; else none."""
    if type(layer) is Pooling3D:
        return layer.windows if layer.layer_param.pooling3d_param.pool == Pooling3DParameter.MAX else ()
    over_axes = layer.over_more_axes if type(layer) is Pooling else layer
    if type(over_axes) is not PoolingND or {*over_axes.dilations} != {1}:
        return ()
    return over_axes.windows if over_axes.layer_param.pooling_nd_param.pool == PoolingNDParameter.MAX else ()
