"""ReverseTime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("ReverseTime")
class ReverseTime(Layer):
    """Each sequence from its end to its begin.

    bottom[0]: T x N x ..., bottom[1]: the N lengths, from 0 to T, which take no gradient; top: as bottom[0]. What lies
    behind a sequence is copied with reverse_time_param.copy_remaining, else 0 (the original leaves what stood there),
    as is its gradient. Raises LayerError for other shapes and lengths.
    Source: ReverseTimeLayer of ChWick's Caffe, which caffe_ocr and caffe_latte have.
    """

    reads = ("reverse_time_param",)
    origin = "ChWick's"
    bottom_count = (2, 2)
    no_gradient = (1,)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) < 2 or bottom[1].shape != shape[1:2]:
            raise self.error(
                f"the bottoms have the shapes {shape} and {bottom[1].shape}; expected T x N x ... and N lengths"
            )
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        lengths = bottom[1].data.astype(np.int64)
        if not ((bottom[1].data >= 0) & (lengths <= len(bottom[0].data))).all():
            raise self.error(
                f"the lengths are {bottom[1].data.tolist()}; expected 0 to {len(bottom[0].data)} each"
            )
        self._turn(bottom[0].data, lengths, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            self._turn(top[0].diff, bottom[1].data.astype(np.int64), bottom[0].diff)

    def _turn(self, x: np.ndarray, lengths: np.ndarray, out: np.ndarray) -> None:
        for n, length in enumerate(lengths):
            out[:length, n] = x[:length, n][::-1]
            out[length:, n] = x[length:, n] if self.layer_param.reverse_time_param.copy_remaining else 0
