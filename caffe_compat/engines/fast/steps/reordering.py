"""Layers that give the axes of their bottom another order: Permute and its like."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.steps.step import LEAST_NUMBERS, Blobs, Calls, Step, parts_of
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.reordered import Reordered
from caffe_compat.layers.kernels.step_reordering import permute
from caffe_compat.layers.shuffle_channel import ShuffleChannel


class Reordering(Step):
    """Axes that stay neighbours count as one; up to four are left."""

    @staticmethod
    def fits(layer: Layer) -> bool:
        if type(layer) is ShuffleChannel:
            return True
        return isinstance(layer, Reordered) and type(layer).forward is Reordered.forward

    def _axes(self, bottom: Blob) -> tuple[tuple[int, ...], list[int]]:
        """The sizes of the bottom's axes, and their order in the top."""
        layer = self.layers[0]
        if isinstance(layer, ShuffleChannel):
            (images, count, *sizes), group = bottom.shape, layer.layer_param.shuffle_channel_param.group
            return (images, group, count // group, math.prod(sizes)), [0, 2, 1, 3]
        assert isinstance(layer, Reordered)
        return bottom.shape, layer.order

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        _, order = self._axes(bottoms[0][0])
        return order[0] == 0

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        shape, order = self._axes(bottoms[0][0])
        sizes, strides = _merged(shape, order)
        if len(sizes) > 4 or not math.prod(shape):
            return None
        sizes, strides = [1] * (4 - len(sizes)) + sizes, [0] * (4 - len(sizes)) + strides
        row = self.row(
            function=permute,
            parts=parts_of(math.prod(shape), LEAST_NUMBERS // 8, threads),
            bottom=bottoms[0][0], top=tops[0][0],
            **dict(zip(("images", "channels", "height", "width"), sizes, strict=True)),
            strides=np.array(strides, np.int64),
        )  # fmt: skip
        return [row]


def _merged(shape: tuple[int, ...], order: list[int]) -> tuple[list[int], list[int]]:
    """The sizes of the top's axes, and how far apart their numbers lie in the bottom; neighbours there are one."""
    sizes: list[int] = []
    strides: list[int] = []
    for axis in order:
        size, stride = shape[axis], math.prod(shape[axis + 1 :])
        if size == 1:
            continue
        if sizes and strides[-1] == stride * size:
            sizes[-1], strides[-1] = sizes[-1] * size, stride
        else:
            sizes.append(size)
            strides.append(stride)
    return sizes, strides
