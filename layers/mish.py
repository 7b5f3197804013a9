"""Mish."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register


@register("Mish")
class Mish(InPlaceLayer):
    """x tanh(log(1 + e^x)); any shape.

    Source: MishLayer of troyliu0105's Caffe, whose gradient is the true one; Synopsys' Caffe, where it takes the top
    for the bottom. Misra, Mish (2019).
    """

    reads = ()
    origin = "troyliu0105"

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = self.keep_input(bottom, top)
        np.multiply(x, np.tanh(np.logaddexp(0, x)), out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x = self.kept_input(bottom, top)
            value = np.tanh(np.logaddexp(0, x))
            slope = value + x * (1 - value**2) * ((np.tanh(x / 2) + 1) / 2)
            np.multiply(top[0].diff, slope, out=bottom[0].diff)
