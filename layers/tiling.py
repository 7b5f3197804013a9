"""Channels laid out as pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Tiling")
class Tiling(Layer):
    """Each T T channels, T tiling_param.tile_dim, become one, whose tiles of T x T pixels they are, row by row.

    bottom[0]: N x C x H x W, C a multiple of T T. top[0]: N x C / (T T) x T H x T W. Raises LayerError where it is not.
    Source: TilingLayer of the Caffe of VPGNet; Huval et al., An Empirical Evaluation of Deep Learning on Highway
    Driving (2015).
    """

    reads = ("tiling_param",)
    origin = "VPGNet"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        side, shape = self.layer_param.tiling_param.tile_dim, bottom[0].shape
        if side < 1 or len(shape) != 4 or shape[1] % side**2:
            raise self.error(
                f"tile_dim is {side} and the bottom has the shape {shape}; expected at least 1, and N x C x H x W, "
                "C a multiple of its square"
            )
        n, channels, height, width = shape
        self.parts = n, channels // side**2, side, side, height, width
        top[0].reshape(n, channels // side**2, side * height, side * width)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.copyto(self._tiles(top[0].data), bottom[0].data.reshape(self.parts))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.copyto(bottom[0].diff.reshape(self.parts), self._tiles(top[0].diff))

    def _tiles(self, array: np.ndarray) -> np.ndarray:
        """The top's array, as the bottom has it: N x C / (T T) x T x T x H x W."""
        n, channels, rows, columns, height, width = self.parts
        return array.reshape(n, channels, height, rows, width, columns).transpose(0, 1, 3, 5, 2, 4)
