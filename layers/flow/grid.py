"""Grid: where each pixel is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Grid")
class Grid(Layer):
    """Column and row of each pixel. bottom: N x C x H x W, its shape counts only; top: N x 2 x H x W.

    Raises LayerError for other axes. Source: GridLayer of LiteFlowNet (twhui); Hui et al. (2018).
    """

    reads = ()
    origin = "LiteFlowNet"
    no_gradient = (0,)
    has_backward = False

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom[0].shape) != 4:
            raise self.error(f"the bottom has the shape {bottom[0].shape}, expected N x C x H x W")
        top[0].reshape(bottom[0].num, 2, *bottom[0].shape[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        height, width = top[0].shape[2:]
        top[0].data[:, 0] = np.arange(width)
        top[0].data[:, 1] = np.arange(height)[:, None]
