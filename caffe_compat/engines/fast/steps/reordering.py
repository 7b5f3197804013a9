"""Layers that give the axes of their bottom another order: Permute and its like."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.engines.fast.steps.step import LEAST_NUMBERS, Blobs, Calls, Step, parts_of
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.reordered import Reordered
from caffe_compat.layers.kernels.step_reordering import permute


class Reordering(Step):
    """Axes that stay neighbours count as one; up to four are left."""

    @staticmethod
    def fits(layer: Layer) -> bool:
        return isinstance(layer, Reordered) and type(layer).forward is Reordered.forward

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        layer = self.layers[0]
        assert isinstance(layer, Reordered)
        return layer.order[0] == 0

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        layer, shape = self.layers[0], bottoms[0][0].shape
        assert isinstance(layer, Reordered)
        sizes, strides = _merged(shape, layer.order)
        if len(sizes) > 4 or not math.prod(shape):
            return None
        sizes, strides = [1] * (4 - len(sizes)) + sizes, [0] * (4 - len(sizes)) + strides
        row = self.row(
            function=permute.address,
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
