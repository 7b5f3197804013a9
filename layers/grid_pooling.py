"""GRIDPooling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.windows import LOWEST, spread_to
from caffe_compat.layers.registry import register


@register("GRIDPooling")
class GRIDPooling(Layer):
    """The maxima of a grid of pooled_h x pooled_w parts of each map, whatever its size.

    bottom: N x C x H x W; top: N x C x pooled_h x pooled_w. Parts are of H / pooled_h by W / pooled_w pixels, from the
    pixel in which one begins to that in which it ends, so that they may overlap; of equal pixels the first takes the
    gradient. Raises LayerError for bottoms without pixels and pooled sizes below 1.
    Source: GRIDPoolingLayer of caffe-face-attributes (JiajianZeng), which has its gradient on the GPU only.
    """

    reads = ("grid_pooling_param",)
    origin = "caffe-face-attributes"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.grid_pooling_param
        self.parts = param.pooled_h, param.pooled_w
        if min(self.parts) < 1:
            raise self.error(f"pooled_h and pooled_w are {self.parts}; they must be at least 1")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or not bottom[0].count:
            raise self.error(f"the bottom has the shape {shape}; expected N x C x H x W, with pixels")
        top[0].reshape(*shape[:2], *self.parts)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        best = bottom[0].data.reshape(-1, *shape[2:])
        best = np.where(best > LOWEST, best, best.dtype.type(LOWEST))
        places = np.broadcast_to(np.arange(shape[2] * shape[3]).reshape(shape[2:]), best.shape)
        for axis in (2, 1):  # the columns first, so that the first of equal pixels is found
            size, parts = best.shape[axis], self.parts[axis - 1]
            outs, (different, which) = [], _parts(size, parts)
            for part in different:
                at = (slice(None),) * axis + (part,)
                first = np.expand_dims(best[at].argmax(axis=axis), axis)
                outs.append([np.take_along_axis(array[at], first, axis) for array in (best, places)])
            best, places = (
                np.concatenate(arrays, axis=axis).take(which, axis=axis) for arrays in zip(*outs, strict=True)
            )
        top[0].data[...] = best.reshape(top[0].shape)
        self.places = np.where(best > LOWEST, places, -1)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            diff = top[0].diff.reshape(self.places.shape)
            spread_to(self.places, diff, bottom[0].diff.reshape(-1, *bottom[0].shape[2:]))


def _parts(size: int, count: int) -> tuple[list[slice], np.ndarray]:
    """Which pixels parts of an axis have, in float32 as there, and which of these each of so many parts has."""
    numbers, each = np.arange(count + 1, dtype=np.float32), np.float32(size) / np.float32(count)
    starts = np.clip(np.floor(numbers[:-1] * each), 0, size - 1).astype(int)
    ends = np.clip(np.ceil(numbers[1:] * each), 1, size).astype(int)
    found, which = np.unique(starts * (size + 1) + np.maximum(ends, starts + 1), return_inverse=True)
    return [slice(*divmod(int(each), size + 1)) for each in found], which
