"""K1_EuclideanLoss and K2_EuclideanLoss: binary codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.registry import register


class CodeLoss(LossLayer):
    """bottom[0]: N x ..., from 0 to 1; bottom[1]: of its shape, its numbers do not count. top[0]: a scalar, `sign`
    times half the mean of (bottom[0] - 0.5)^2. Where bottom[1] takes a gradient it is bottom[0]'s, as there."""

    reads = ()
    no_gradient = ()
    origin = "SSDH"
    sign = 1

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if bottom[0].shape != bottom[1].shape:
            raise self.error(
                f"the bottoms have the shapes {bottom[0].shape} and {bottom[1].shape}; expected the same"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        distances = bottom[0].data - self.dtype(0.5)
        top[0].data[...] = self.sign * (distances**2).mean(dtype=np.float64) / 2

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        scale = self.dtype(self.sign * loss_weight(top) / bottom[0].count)
        for blob, wanted in zip(bottom, propagate_down, strict=True):
            if wanted:
                np.multiply(bottom[0].data - self.dtype(0.5), scale, out=blob.diff)


@register("K1_EuclideanLoss")
class K1EuclideanLoss(CodeLoss):
    """Drives numbers away from 0.5: minus half the mean of their squared distances from it.

    bottoms: N x ... twice, of which the second's numbers do not count; if it takes a gradient that is the first one's,
    as there. Raises LayerError for shapes that differ. Source: K1_EuclideanLossLayer of kevinlin311tw's
    Caffe-DeepBinaryCode; Yang, Lin and Chen, Supervised Learning of Semantics-Preserving Hash (2017).
    """

    sign = -1


@register("K2_EuclideanLoss")
class K2EuclideanLoss(CodeLoss):
    """Draws numbers to 0.5: half the mean of their squared distances from it; else like K1_EuclideanLoss.

    Source: K2_EuclideanLossLayer of kevinlin311tw's Caffe-DeepBinaryCode.
    """
