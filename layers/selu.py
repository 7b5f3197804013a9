"""Scaled exponential linear units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register


@register("SeLu")
class SeLu(InPlaceLayer):
    """lambda * x where x > 0, else lambda * alpha * (exp(x) - 1), both of selu_param; any shape.

    In place, backward goes by the input that forward overwrote; the original takes the output for it.
    Source: SeLuLayer of soeaver's Caffe; Klambauer and others (2017).
    """

    reads = ("selu_param",)
    origin = "soeaver's Caffe"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.selu_param
        self.scale, self.alpha = getattr(param, "lambda"), param.alpha

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = self.keep_input(bottom, top)
        low = self.alpha * np.expm1(np.minimum(x, 0))
        np.multiply(np.where(x > 0, x, low), self.scale, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x = self.kept_input(bottom, top)
            slope = np.where(x > 0, 1, self.alpha * np.exp(np.minimum(x, 0)))
            np.multiply(top[0].diff, self.scale * slope, out=bottom[0].diff)
