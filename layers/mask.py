"""Mask: the pixels that a mask marks."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Mask")
class Mask(Layer):
    """The channels of each pixel whose mask is 1 or more, row by row.

    bottom[0]: 1 x C x H x W; bottom[1]: 1 x 1 x H x W, the mask, which takes no gradient. top[0]: P x C x 1 x 1, of P
    such pixels. Raises LayerError for other shapes.
    Source: MaskLayer of CaffeMex (liuyuisanai), where P is the mask's sum.
    """

    reads = ()
    origin = "CaffeMex"
    bottom_count = (2, 2)
    no_gradient = (1,)
    counts_rows = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(1, bottom[0].channels, 1, 1)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many pixels are marked is known after forward."""
        maps, mask = (blob.shape for blob in bottom)
        if len(maps) != 4 or maps[0] != 1 or mask != (1, 1, *maps[2:]):
            raise self.error(
                f"the bottoms have the shapes {maps} and {mask}; expected 1 x C x H x W and 1 x 1 x H x W"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.marked = bottom[1].data[0, 0] >= 1
        pixels = bottom[0].data[0][:, self.marked].T
        top[0].reshape(*pixels.shape, 1, 1)
        top[0].data[..., 0, 0] = pixels

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = 0
            bottom[0].diff[0][:, self.marked] = top[0].diff[..., 0, 0].T
