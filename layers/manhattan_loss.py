"""ManhattanLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_equal_counts, loss_weight
from caffe_compat.layers.registry import register


@register("ManhattanLoss")
class ManhattanLoss(LossLayer):
    """The sum of |bottom[0] - bottom[1]|, divided by the number of examples; top[0] is a scalar.

    Both bottoms have as many elements, and both take a gradient: d / (|d| + 1e-3) for the sign of a difference d.
    Raises LayerError for shapes that do not fit. Source: ManhattanLossLayer of qxcv's Caffe.
    """

    reads = ()
    origin = "qxcv"
    no_gradient = ()

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_equal_counts(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.difference = bottom[0].data.ravel() - bottom[1].data.ravel()
        top[0].data[...] = np.abs(self.difference).sum() / bottom[0].num

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        scale = loss_weight(top) / bottom[0].num
        for index, sign in enumerate((1, -1)):
            if propagate_down[index]:
                slope = self.difference / (np.abs(self.difference) + self.difference.dtype.type(1e-3))
                np.multiply(slope, slope.dtype.type(sign * scale), out=bottom[index].diff.ravel())
