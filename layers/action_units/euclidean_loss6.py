"""EuclideanLoss6: intensities of action units, some of them not known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.registry import register

MISSING, CLOSE = 9, 1e-4


@register("EuclideanLoss6")
class EuclideanLoss6(LossLayer):
    """The mean of the squares of bottom[2] (bottom[0] - bottom[1]), of targets that are not 9, which is no intensity.

    The bottoms have as many elements; bottom[2] weighs them, and takes no gradient. The gradient counts the weights
    once where the slope has their squares. Without any target the loss is 0. Raises LayerError for other counts.
    Source: EuclideanLoss6Layer of ARL (ZhiwenShao), which divides by 0 without any target.
    """

    reads = ()
    origin = "ZhiwenShao"
    bottom_count = (3, 3)
    no_gradient = (2,)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if len({blob.count for blob in bottom}) != 1:
            raise self.error(
                f"the bottoms have the shapes {[blob.shape for blob in bottom]}; expected as many elements"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        values, targets, weights = (blob.data.ravel() for blob in bottom)
        known = np.abs(targets - MISSING) >= CLOSE
        self.count = max(int(known.sum()), 1)
        self.difference = np.where(known, (values - targets) * weights, 0)
        top[0].data[...] = np.dot(self.difference, self.difference) / self.count

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for index, sign in enumerate((2, -2)):
            if propagate_down[index]:
                scale = self.difference.dtype.type(sign * loss_weight(top) / self.count)
                np.multiply(self.difference, scale, out=bottom[index].diff.ravel())
