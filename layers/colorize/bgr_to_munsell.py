"""BgrToMunsell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("BgrToMunsell")
class BgrToMunsell(Layer):
    """Hue (0 to 1, 0 for grey), chroma (the greatest less the least of a pixel) and value (the greatest) of colours.

    bottom: N x 3 x H x W, blue, green, red; top: of the same shape. Forward only. Raises LayerError for other shapes.
    Source: BgrToMunsellLayer of gustavla/autocolorize.
    """

    reads = ()
    no_gradient = (0,)
    has_backward = False
    origin = "autocolorize"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or shape[1] != 3:
            raise self.error(f"the bottom has the shape {shape}; expected N x 3 x H x W")
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        blue, green, red = np.moveaxis(bottom[0].data, 1, 0)
        value = bottom[0].data.max(axis=1)
        chroma = value - bottom[0].data.min(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            sixths = np.where(
                red == value,
                (green - blue) / chroma,
                np.where(green == value, 2 + (blue - red) / chroma, 4 + (red - green) / chroma),
            )
        top[0].data[:, 0] = np.where(chroma == 0, 0, np.fmod(sixths.astype(np.float64) / 6 + 10, 1))
        top[0].data[:, 1] = np.where(value == 0, 0, chroma)
        top[0].data[:, 2] = value
