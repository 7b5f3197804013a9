"""Copies of a blob, one after the other along an axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, around_axis, canonical_axis
from caffe_compat.layers.registry import register


@register("Tile")
class Tile(Layer):
    """The bottom tile_param.tiles times along `axis` (1). Raises LayerError without tiles, or out of range.

    Source: Caffe's TileLayer.
    """

    reads = ("tile_param",)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.tile_param, bottom[0].shape
        if param.tiles < 1:
            raise self.error(f"tiles is {param.tiles}; say how many copies, at least 1")
        axis = canonical_axis(self, param.axis, bottom[0])
        outer, size, inner = around_axis(shape, axis)
        self._tiled = outer, param.tiles, size * inner
        top[0].reshape(*shape[:axis], size * param.tiles, *shape[axis + 1 :])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        outer, _, inner = self._tiled
        np.copyto(top[0].data.reshape(self._tiled), bottom[0].data.reshape(outer, 1, inner))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            outer, _, inner = self._tiled
            top[0].diff.reshape(self._tiled).sum(axis=1, out=bottom[0].diff.reshape(outer, inner))
