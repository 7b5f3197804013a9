"""Norm."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.pixels import four_axes
from caffe_compat.layers.registry import register

EPSILON = 1e-6


@register("Norm")
class Norm(Layer):
    """Divides the channels of each pixel by the root of the sum of their squares, plus 1e-6.

    bottom[0]: N x C, up to N x C x H x W; top[0]: N x C x H x W, missing axes 1. The gradient is that of a quotient by
    the norm alone, with 1e-6 added to the norm's third power, as there. Raises LayerError for other axes.
    Source: NormLayer of xiaolonw's caffe-video_triplet and caffe-3dnormal, and of their forks.
    """

    reads = ()
    origin = "xiaolonw"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        images, channels, *pixels = four_axes(self, bottom[0].shape)
        self.view = images, channels, math.prod(pixels)
        top[0].reshape(images, channels, *pixels)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].data.reshape(self.view)
        np.divide(x, np.sqrt(_squares(x)) + x.dtype.type(EPSILON), out=top[0].data.reshape(self.view))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x, seed = bottom[0].data.reshape(self.view), top[0].diff.reshape(self.view)
        squares = _squares(x)
        along = np.einsum("ncp,ncp->np", x, seed)[:, None]
        third_power = squares * np.sqrt(squares) + x.dtype.type(EPSILON)
        np.divide(squares * seed - x * along, third_power, out=bottom[0].diff.reshape(self.view))


def _squares(x: np.ndarray) -> np.ndarray:
    """Sums over the channels, N x 1 x pixels."""
    return np.einsum("ncp,ncp->np", x, x)[:, None]
