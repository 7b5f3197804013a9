"""Combination: tiles laid side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.tiles import corners
from caffe_compat.layers.registry import register


@register("Combination")
class Combination(Layer):
    """The bottoms laid into one map, each from its combination_param.ycoord and xcoord on; the last one ends the map.

    bottoms: N x C x h x w of any h and w; top: N x C x H x W. Where they overlap the last one counts, and all get the
    gradient there; a pixel of none is 0. Raises LayerError for other batches or channels, and for a bottom that
    leaves the map or has no place. Source: CombinationLayer of ARL and JAANet, see Division.
    """

    reads = ("combination_param",)
    origin = "ZhiwenShao"
    bottom_count = (1, None)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shapes = self.layer_param.combination_param, [blob.shape for blob in bottom]
        if any(len(shape) != 4 or shape[:2] != shapes[0][:2] for shape in shapes):
            raise self.error(
                f"the bottoms have the shapes {shapes}; expected N x C x h x w, with one N and C"
            )
        ends = [
            (row + shape[2], column + shape[3])
            for (row, column), shape in zip(
                corners(self, param.ycoord, param.xcoord, len(bottom)), shapes, strict=True
            )
        ]
        height, width = ends[-1]
        if any(row > height or column > width for row, column in ends):
            raise self.error(f"the last bottom ends the map at {height} x {width}, others at {max(ends)}")
        self.tiles = [
            np.s_[:, :, row - shape[2] : row, column - shape[3] : column]
            for (row, column), shape in zip(ends, shapes, strict=True)
        ]
        top[0].reshape(*shapes[0][:2], height, width)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data.fill(0)
        for blob, tile in zip(bottom, self.tiles, strict=True):
            np.copyto(top[0].data[tile], blob.data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, tile, wanted in zip(bottom, self.tiles, propagate_down, strict=True):
            if wanted:
                np.copyto(blob.diff, top[0].diff[tile])
