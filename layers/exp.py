"""Exponentials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.common.logexp import log_of_base
from caffe_compat.layers.registry import register


@register("Exp")
class Exp(InPlaceLayer):
    """base ** (shift + scale * x) with exp_param's base (-1: e), scale and shift; any shape.

    Raises LayerError for a base that is not positive. Source: Caffe's ExpLayer; the Fast R-CNN fork has
    (-1) ** shift where the base is -1 and shift is not 0, a slip that BVLC put right.
    """

    reads = ("exp_param",)
    backward_reads_top = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.exp_param
        log_base = log_of_base(self, param.base)
        real = bottom[0].dtype.type
        with np.errstate(over="ignore"):  # infinity, as in Caffe
            self.inner, self.outer = real(log_base * param.scale), real(np.exp(log_base * param.shift))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = top[0].data
        np.multiply(bottom[0].data, self.inner, out=y)
        np.exp(y, out=y)
        if self.outer != 1:
            y *= self.outer

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x_diff = bottom[0].diff
            np.multiply(top[0].diff, top[0].data, out=x_diff)
            if self.inner != 1:
                x_diff *= self.inner
