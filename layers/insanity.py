"""Insanity: the randomized leaky ReLU."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng


@register("Insanity")
class Insanity(InPlaceLayer):
    """max(x, 0) + min(x, 0) / slope, each slope drawn from insanity_param.lb to ub, in phase TRAIN.

    bottom, top: any shape of two axes at least. In phase TEST the slope is (ub - lb) / (log |ub| - log |lb|), for the
    gradient too. One draw of the global stream an element. Raises LayerError unless lb < ub, both not 0 nor of
    opposite sign alone (|lb| = |ub|).
    Source: InsanityLayer of happynear's Caffe; Xu et al., Empirical Evaluation of Rectified Activations (2015).
    """

    reads = ("insanity_param",)
    origin = "happynear"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.low, self.high = self.layer_param.insanity_param.lb, self.layer_param.insanity_param.ub
        if not self.low < self.high or self.low * self.high == 0 or self.low == -self.high:
            raise self.error(
                f"lb is {self.low:g}, ub {self.high:g}; lb must be below ub, neither be 0, and their sum not be 0"
            )
        self.mean_slope = (self.high - self.low) / (math.log(abs(self.high)) - math.log(abs(self.low)))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if len(bottom[0].shape) < 2:
            raise self.error(f"the bottom has the shape {bottom[0].shape}, expected two axes at least")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].data
        slopes = np.float32(self.mean_slope)
        if self.phase == TRAIN:
            slopes = np.empty(x.shape, np.float32)
            caffe_rng().uniform(self.low, self.high, slopes)
        self.factors = np.where(x > 0, x.dtype.type(1), 1 / slopes).astype(x.dtype)
        np.multiply(x, self.factors, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(top[0].diff, self.factors, out=bottom[0].diff)
