"""EuclideanLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_equal_counts, loss_weight
from caffe_compat.layers.registry import register


@register("EuclideanLoss")
class EuclideanLoss(LossLayer):
    """Half the sum of squares of bottom[0] - bottom[1], divided by the number of rows; top[0] is a scalar.

    Both bottoms have as many elements, and both take a gradient. Source: Caffe's EuclideanLossLayer.
    """

    reads = ()
    no_gradient: tuple[int, ...] = ()

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_equal_counts(self, bottom)
        if not hasattr(self, "difference"):
            self.difference = Blob((), bottom[0].dtype)
        self.difference.reshape(bottom[0].count)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        difference = self.difference.data
        np.subtract(bottom[0].data.ravel(), bottom[1].data.ravel(), out=difference)
        top[0].data[...] = np.dot(difference, difference) / (2 * bottom[0].num)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for index, sign in enumerate((1, -1)):
            if propagate_down[index]:
                scale = self.difference.dtype.type(sign * loss_weight(top) / bottom[0].num)
                np.multiply(self.difference.data, scale, out=bottom[index].diff.ravel())


class EuclideanLossLayer(EuclideanLoss):
    """`python_param { module: "pyloss" layer: "EuclideanLossLayer" }`: EuclideanLoss with a top[0] of shape (1,).

    As of any Python layer, it is a loss only where loss_weight says so. Source: examples/pycaffe of Caffe.
    """

    is_loss = False

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        top[0].reshape(1)
