"""TileProduct."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("TileProduct")
class TileProduct(Layer):
    """All channels times one map.

    bottom[0]: N x C x H x W; bottom[1]: N x 1 x H x W; top: N x C x H x W. Both take a gradient. Raises LayerError for
    other shapes.
    Source: TileProductLayer of chwilms/AttentionMask, whose gradient of the map adds channels up while others do.
    """

    reads = ()
    origin = "AttentionMask"
    bottom_count = (2, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, tile = bottom[0].shape, bottom[1].shape
        if len(shape) != 4 or tile != (shape[0], 1, *shape[2:]):
            raise self.error(
                f"the bottoms have the shapes {shape} and {tile}; expected N x C x H x W, N x 1 x H x W"
            )
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.multiply(bottom[0].data, bottom[1].data, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(top[0].diff, bottom[1].data, out=bottom[0].diff)
        if propagate_down[1]:
            np.einsum("nchw,nchw->nhw", top[0].diff, bottom[0].data, out=bottom[1].diff[:, 0])
