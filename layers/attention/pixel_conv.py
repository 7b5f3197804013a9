"""PixelConv."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.attention.taps import Square
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("PixelConv")
class PixelConv(Layer):
    """Convolves each channel with a filter of its own at each pixel.

    bottom[0]: N x C k k x H x W filters, those of a channel together; bottom[1]: N x C x H x W, k odd; top: the same.
    Around the map lie zeros. Raises LayerError for shapes that do not fit.
    Source: PixelConvLayer of SICE (k402xxxcenxxx), with is_pad, without which it has no sizes that fit; the defaults of
    its message are not public.
    """

    reads = ()
    origin = "SICE"
    bottom_count = (2, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        filters, x = (blob.shape for blob in bottom)
        kernel = math.isqrt(filters[1] // max(x[1], 1)) if len(x) == len(filters) == 4 else 0
        if not kernel % 2 or filters != (x[0], x[1] * kernel * kernel, *x[2:]):
            raise self.error(
                f"the bottoms have the shapes {filters} and {x}; expected N x C k k x H x W, k odd, and N x C x H x W"
            )
        self.window = Square(kernel, pad=kernel // 2)
        top[0].reshape(*x)

    def _filters(self, array: np.ndarray, x: Blob) -> np.ndarray:
        return array.reshape(*x.shape[:2], self.window.kernel**2, *x.shape[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        filters, x, y = self._filters(bottom[0].data, bottom[1]), bottom[1].data, top[0].data
        y[...] = 0
        for k, windows, places in self.window.taps(x.shape[2:], x.shape[2:]):
            y[windows] += x[places] * filters[:, :, k][windows]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        x, diff = bottom[1].data, top[0].diff
        if propagate_down[0]:
            filters_diff = self._filters(bottom[0].diff, bottom[1])
            filters_diff[...] = 0
            for k, windows, places in self.window.taps(x.shape[2:], x.shape[2:]):
                np.multiply(x[places], diff[windows], out=filters_diff[:, :, k][windows])
        if propagate_down[1]:
            filters, x_diff = self._filters(bottom[0].data, bottom[1]), bottom[1].diff
            x_diff[...] = 0
            for k, windows, places in self.window.taps(x.shape[2:], x.shape[2:]):
                x_diff[places] += diff[windows] * filters[:, :, k][windows]
