"""Division: maps cut into tiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.tiles import corners
from caffe_compat.layers.registry import register


@register("Division")
class Division(Layer):
    """Each top is a tile of the bottom, division_param.height x width, from its ycoord and xcoord on.

    bottom: N x C x H x W; tops: N x C x height x width. Of tiles that overlap, the last one alone gives the shared
    pixels a gradient; pixels of no tile have 0. Raises LayerError for tiles beyond the bottom, or without a place.
    Source: DivisionLayer of ARL and JAANet; Shao et al., Deep Adaptive Attention for Joint Facial Action Unit Detection
    and Face Alignment (2018).
    """

    reads = ("division_param",)
    origin = "ZhiwenShao"
    top_count = (1, None)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.division_param, bottom[0].shape
        if len(shape) != 4:
            raise self.error(f"the bottom has the shape {shape}, expected N x C x H x W")
        height, width = param.height, param.width
        if not height or not width:
            raise self.error(f"the tiles are {height} x {width}; give division_param a height and a width")
        self.tiles = []
        for row, column in corners(self, param.ycoord, param.xcoord, len(top)):
            if row + height > shape[2] or column + width > shape[3]:
                raise self.error(
                    f"a tile of {height} x {width} from {row}, {column} on leaves a bottom of {shape}"
                )
            self.tiles.append(np.s_[:, :, row : row + height, column : column + width])
        for blob in top:
            blob.reshape(*shape[:2], height, width)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob, tile in zip(top, self.tiles, strict=True):
            np.copyto(blob.data, bottom[0].data[tile])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff.fill(0)
            for blob, tile in zip(top, self.tiles, strict=True):
                np.copyto(bottom[0].diff[tile], blob.diff)
