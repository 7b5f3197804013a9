"""RelevantLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.registry import register


@register("RelevantLoss")
class RelevantLoss(LossLayer):
    """How far landmarks are shifted against each other: the same shift of all of them costs nothing.

    bottom[0]: N x C predictions, first C // 2 coordinates x, then those of y (axes behind are 1); bottom[1]: the true
    ones. The loss is the sum over the pairs of x, and of y, of (d_i - d_j)^2, d being prediction less truth, over 2 N.
    Both bottoms have a gradient. The original adds each forward's gradient to that of all before; here each starts at
    0. Raises LayerError for other shapes.
    Source: RelevantLossLayer of RCC-loss (nianfudong).
    """

    reads = ()
    origin = "RCC-loss"
    no_gradient = ()

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        a, b = (blob.shape for blob in bottom)
        if len(a) < 2 or {*a[2:], *b[2:]} - {1} or a[:2] != b[:2]:
            raise self.error(f"the bottoms have the shapes {a} and {b}; expected N x C, the same twice")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        n, c = bottom[0].shape[:2]
        shifts = (bottom[0].data.reshape(n, c) - bottom[1].data.reshape(n, c)).astype(np.float64)
        self.slopes, loss = np.empty_like(shifts), 0.0
        for part in (slice(0, c // 2), slice(c // 2, c)):
            d = shifts[:, part]
            self.slopes[:, part] = d.shape[1] * d - d.sum(axis=1, keepdims=True)
            loss += (d * self.slopes[:, part]).sum()
        top[0].data[...] = loss / n / 2

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for i, sign in enumerate((1, -1)):
            if propagate_down[i]:
                diff = self.slopes * (sign * loss_weight(top) / bottom[0].num)
                bottom[i].diff[...] = diff.reshape(bottom[i].shape)
