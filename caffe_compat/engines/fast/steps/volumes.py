"""Pooling over volumes: first over each slice's windows, then over those that lie one behind the other.

An average is that of the slices' averages, since windows have as many elements in each slice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.steps.pooling import pooled
from caffe_compat.engines.fast.steps.step import Blobs, Calls, Step
from caffe_compat.layers.base import Layer
from caffe_compat.layers.pooling import Pooling
from caffe_compat.layers.pooling3d import Pooling3D
from caffe_compat.layers.pooling_nd import PoolingND
from caffe_compat.prototxt.caffe_pb2 import Pooling3DParameter, PoolingNDParameter


class Volumes(Step):
    """MAX and AVE over three axes, with one top: Pooling, PoolingND and Pooling3D."""

    def __init__(self, layers: Sequence[Layer]):
        super().__init__(layers)
        self._slices = Blob()  # what is left of each slice

    @staticmethod
    def fits(layer: Layer) -> bool:
        over_axes = _over_axes(layer)
        return over_axes is not None and len(over_axes.windows) == 3 and len(layer.layer_param.top) == 1

    @staticmethod
    def keeps_enough(layer: Layer) -> bool:
        over_axes = _over_axes(layer)
        assert over_axes is not None
        return type(over_axes) is Pooling3D or not _is_maximum(over_axes)

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        return len(bottoms[0][0].shape) > 3

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        (bottom,), (top,), layer = bottoms[0], tops[0], _over_axes(self.layers[0])
        assert layer is not None
        (depth, *size), (out_depth, *out_size) = bottom.shape[-3:], top.shape[-3:]
        # a longer stride leads beyond the padding, as this one does
        windows = np.array(
            [
                (kernel, min(stride, length + 2 * pad), pad)
                for (kernel, stride, pad), length in zip(layer.windows, bottom.shape[-3:], strict=True)
            ],
            np.int64,
        )
        self._slices.reshape(*bottom.shape[:-2], *out_size)
        how, area = (self, _is_maximum(layer)), math.prod(out_size)
        along, sizes = np.array([windows[0], (1, 1, 0)]), ((depth, area), (out_depth, area))
        return [
            pooled(*how, windows[1:], bottom, self._slices, size, out_size, threads),
            pooled(*how, along, self._slices, top, *sizes, threads),
        ]


def _over_axes(layer: Layer) -> Pooling3D | PoolingND | None:
    """The layer that says over which windows of neighbours, if there is one."""
    if type(layer) is Pooling3D:
        return layer
    found = layer.over_more_axes if type(layer) is Pooling else layer
    return found if type(found) is PoolingND and {*found.dilations} == {1} else None


def _is_maximum(layer: Pooling3D | PoolingND) -> bool:
    if isinstance(layer, Pooling3D):
        return layer.layer_param.pooling3d_param.pool == Pooling3DParameter.MAX
    return layer.layer_param.pooling_nd_param.pool == PoolingNDParameter.MAX
