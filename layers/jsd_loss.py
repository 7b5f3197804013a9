"""JSDLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_equal_counts, loss_weight
from caffe_compat.layers.registry import register

LEAST = 1e-5  # what is not above it counts as 0
SMALLEST = float(np.finfo(np.float32).tiny)


@register("JSDLoss")
class JSDLoss(LossLayer):
    """The Jensen-Shannon divergence of predicted distributions from others, averaged over the examples.

    bottom[0]: predictions x, N x ...; bottom[1]: as many targets t. The loss is the sum of
    (x log 2x + t log 2t - (x + t) log(x + t)) / 2 over N; an x up to 1e-5 costs t log 2 / 2, and so a t. As there, the
    gradient is log(2x / (x + t)) / 2 for such an x, too, though the loss is flat there (and for x = 0 that of the
    smallest float32, where the original has minus infinity). Raises LayerError for other shapes.
    Source: JSDLossLayer of CJS-CNN (BestiVictory); Jin et al., Predicting Aesthetic Score Distribution through
    Cumulative Jensen-Shannon Divergence (2018).
    """

    reads = ()
    origin = "CJS-CNN"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_equal_counts(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, t = (blob.data.ravel().astype(np.float64) for blob in bottom)
        no_x, no_t = x <= LEAST, (t <= LEAST) & (x > LEAST)
        some_x, some_t = np.where(no_x, 1, x), np.where(no_x | no_t, 1, t)
        both = some_x + some_t
        each = some_x * np.log(2 * some_x) + some_t * np.log(2 * some_t) - both * np.log(both)
        costs = np.where(no_x, t * np.log(2), np.where(no_t, x * np.log(2), each))
        top[0].data[...] = costs.sum() / 2 / bottom[0].num

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x, t = np.maximum(bottom[0].data, SMALLEST), bottom[1].data.reshape(bottom[0].shape)
        share = np.where(t <= LEAST, 2, 2 * x / (x + np.maximum(t, LEAST)))
        bottom[0].diff[...] = np.log(share) * (0.5 * loss_weight(top) / bottom[0].num)
