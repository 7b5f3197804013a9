"""Dropout for scaled exponential linear units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng


@register("SeLuDropout")
class SeLuDropout(InPlaceLayer):
    """In training each element is selu_dropout_param.alpha with probability dropout_ratio; any shape.

    All elements then go through a * x + b, which gives them back the mean 0 and the variance 1 that they had:
    a = (q + alpha^2 q (1 - q))^-0.5 and b = -a (1 - q) alpha, with q = 1 - dropout_ratio. In testing x stays.
    One draw of the global stream an element. Raises LayerError unless 0 <= dropout_ratio < 1.
    Source: SeLuDropoutLayer of soeaver's Caffe; Klambauer and others (2017).
    """

    reads = ("selu_dropout_param",)
    origin = "soeaver's Caffe"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        ratio, alpha = self.layer_param.selu_dropout_param.dropout_ratio, self._alpha()
        if not 0 <= ratio < 1:
            raise self.error(f"dropout_ratio is {ratio:g}; it must be at least 0 and below 1")
        self.keep_ratio = 1.0 - ratio
        scale = (self.keep_ratio * (1 + alpha * alpha * ratio)) ** -0.5
        self.scale, self.shift = map(bottom[0].dtype.type, (scale, -scale * ratio * alpha))
        self.keep = np.empty(0, np.uint8)

    def _alpha(self) -> float:
        return self.layer_param.selu_dropout_param.alpha

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].data, top[0].data
        if self.phase != TRAIN:
            y[...] = x
            return
        self.keep = np.empty(x.shape, np.uint8)
        caffe_rng().bernoulli(self.keep_ratio, self.keep.reshape(-1))
        kept = np.where(self.keep, x, x.dtype.type(self._alpha()))
        np.add(self.scale * kept, self.shift, out=y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            factor = self.scale * self.keep if self.phase == TRAIN else 1
            np.multiply(top[0].diff, factor, out=bottom[0].diff)
