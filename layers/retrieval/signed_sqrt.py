"""SignedSqrt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register

EPSILON = 0.03


@register("SignedSqrt")
class SignedSqrt(Layer):
    """The root of the distance from 0, with its sign. bottom and top: any shape.

    The gradient divides by 2 (|top| + 0.03), as there, so that it has bounds. Source: SignedSqrtLayer of gy20073's
    Caffe.
    """

    reads = ()
    backward_reads_top = True
    origin = "gy20073"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.copysign(np.sqrt(np.abs(bottom[0].data)), bottom[0].data, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            divisor = (np.abs(top[0].data) + self.dtype(EPSILON)) * self.dtype(2)
            np.divide(top[0].diff, divisor, out=bottom[0].diff)
