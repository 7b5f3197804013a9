"""Convert: the columns of maps as a sequence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Convert")
class Convert(Layer):
    """Makes a sequence of the columns of maps that are one row high, as LSTM takes it.

    bottom[0]: N x C x 1 x W (or N x C x W). top[0]: W x N x C. top[1], if any: W x N, what LSTM goes on with: 0 at the
    first step, and 1 behind it. Raises LayerError for maps of several rows, of which the original takes a part.
    Source: ConvertLayer of Yuliang-Liu/Curve-Text-Detector, as on the GPU (its CPU code wants both tops); Liu et al.,
    Detecting Curve Text in the Wild (2017).
    """

    reads = ()
    origin = "Curve-Text-Detector"
    bottom_count = (1, 1)
    top_count = (1, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) < 3 or set(shape[2:-1]) - {1}:
            raise self.error(f"the bottom has the shape {shape}; expected N x C x 1 x W")
        top[0].reshape(shape[-1], *shape[:2])
        for each in top[1:]:
            each.reshape(shape[-1], shape[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = bottom[0].data.reshape(self._maps(bottom[0])).transpose(2, 0, 1)
        for each in top[1:]:
            each.data[...] = 1
            each.data[:1] = 0

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.copyto(bottom[0].diff.reshape(self._maps(bottom[0])), top[0].diff.transpose(1, 2, 0))

    def _maps(self, blob: Blob) -> tuple[int, int, int]:
        return blob.shape[0], blob.shape[1], blob.shape[-1]
