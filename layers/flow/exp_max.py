"""ExpMax."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.common.logexp import log_of_base
from caffe_compat.layers.registry import register


@register("ExpMax")
class ExpMax(InPlaceLayer):
    """base ** (shift + scale * (x - m)), m the greatest of the pixel's channels (expmax_param; base -1 is e).

    bottom, top: N x C x ...; the gradient takes m as a number. Raises LayerError for a base that is not positive, and
    for fewer axes. Source: ExpMaxLayer of LiteFlowNet (twhui), its GPU kernels, which are for one image.
    """

    reads = ("expmax_param",)
    origin = "LiteFlowNet"
    backward_reads_top = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, real = self.layer_param.expmax_param, bottom[0].dtype.type
        log_base = log_of_base(self, param.base)
        self.inner, self.outer = real(log_base * param.scale), real(np.exp(log_base * param.shift))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if len(bottom[0].shape) < 2 or not bottom[0].shape[1]:
            raise self.error(f"the bottom has the shape {bottom[0].shape}, expected N x C x ...")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = top[0].data
        np.subtract(bottom[0].data, bottom[0].data.max(axis=1, keepdims=True), out=y)
        y *= self.inner
        np.exp(y, out=y)
        y *= self.outer

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(top[0].diff, top[0].data * self.inner, out=bottom[0].diff)
