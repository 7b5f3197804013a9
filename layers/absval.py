"""The absolute value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("AbsVal")
class AbsVal(Layer):
    """|x|; any shape. The gradient at 0 is 0.

    Source: Caffe's AbsValLayer, which cannot work in place either.
    """

    reads = ()

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.abs(bottom[0].data, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.sign(bottom[0].data, out=bottom[0].diff)
            bottom[0].diff[...] *= top[0].diff
