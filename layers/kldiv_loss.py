"""KLDivLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.common.maps import check_maps
from caffe_compat.layers.registry import register

EPS = 1e-6


@register("KLDivLoss")
class KLDivLoss(LossLayer):
    """The Kullback-Leibler divergence of predicted maps from maps of fixations, averaged over the images.

    bottom[0]: N x 1 x H x W, predictions x; bottom[1]: the same of fixations. Both are divided by the sum of their
    absolute values plus 1e-6; with q and p for what comes out, the loss is the sum of p log(p / (q + 1e-6) + 1e-6)
    over N. As in the original the gradient is not the true one: -p (s - x) / (s x + 1e-6), s being the sum of |x|.
    Raises LayerError for other shapes.
    Source: KLDivLossLayer of nian-liu/DSCLRCN.
    """

    reads = ()
    origin = "DSCLRCN"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_maps(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, fixations = (blob.data.reshape(blob.num, -1).astype(np.float64) for blob in bottom)
        self.total = np.abs(x).sum(axis=1, keepdims=True)
        self.wanted = fixations / (np.abs(fixations).sum(axis=1, keepdims=True) + EPS)
        shown = x / (self.total + EPS)
        terms = self.wanted * np.log(self.wanted / (shown + EPS) + EPS)
        top[0].data[...] = terms.sum() / len(x)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x = bottom[0].data.reshape(bottom[0].num, -1)
            diff = -self.wanted * (self.total - x) / (self.total * x + EPS)
            bottom[0].diff[...] = (diff * (loss_weight(top) / len(x))).reshape(bottom[0].shape)
