"""CrossEntropyLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_equal_counts, loss_weight
from caffe_compat.layers.registry import register

LEAST = np.float32(1e-5)  # the logarithm of a smaller one is that of this


@register("CrossEntropyLoss")
class CrossEntropyLoss(LossLayer):
    """Minus t log(p) + (1 - t) log(1 - p), the mean over all numbers.

    bottom[0]: probabilities p, any shape; bottom[1]: as many targets t, from 0 to 1; top[0]: a scalar. A p, or 1 - p,
    below 1e-5 counts as 1e-5, also in what the gradient divides by. Raises LayerError where the counts differ.

    Source: CrossEntropyLossLayer of s-gupta's and MSRCCS' Caffe. Others call other losses so: see dialects.py.
    """

    reads = ()
    origin = "visual-concepts"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if bottom[1].count == bottom[0].num < bottom[0].count:
            raise self.error(
                f"bottom[1] has one label for each row of bottom[0] {bottom[0].shape}; expected a target for "
                "each number. For labels write MultinomialLogisticLoss"
            )
        check_equal_counts(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p, t = (blob.data.reshape(-1) for blob in bottom)
        costs = t * np.log(np.maximum(p, LEAST)) + (1 - t) * np.log(np.maximum(1 - p, LEAST))
        top[0].data[...] = -costs.sum(dtype=np.float64) / costs.size

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            p, t = (blob.data.reshape(-1) for blob in bottom)
            slopes = (1 - t) / np.maximum(1 - p, LEAST) - t / np.maximum(p, LEAST)
            np.multiply(slopes, p.dtype.type(loss_weight(top) / p.size), out=bottom[0].diff.reshape(-1))
