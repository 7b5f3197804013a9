"""EuclideanLoss with a third bottom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_equal_counts, loss_weight
from caffe_compat.layers.registry import register_form


@register_form("ScaledEuclideanLoss", of="EuclideanLoss", describes=lambda param: len(param.bottom) == 3)
class ScaledEuclideanLoss(LossLayer):
    """Half the mean of the squares of (bottom[0] - bottom[1]) bottom[2]: EuclideanLoss with three bottoms.

    bottom: predictions, targets, and a scale for each of their elements, which takes no gradient: as many elements
    each. top[0] is a scalar: the sum divided by twice the number of elements, not of rows. As there, the gradient at
    bottom[0] is the scaled difference divided by that number, with the scale once, not squared; at bottom[1] the
    negative of it. Raises LayerError for other shapes.

    Source: EuclideanLossLayer of naibaf7's Caffe, for affinities of electron microscopy.
    """

    reads = ()
    bottom_count = (3, 3)
    no_gradient = (2,)
    origin = "naibaf7"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_equal_counts(self, bottom)
        if bottom[2].count != bottom[0].count:
            raise self.error(
                f"bottom[2] has the shape {bottom[2].shape}; expected a scale for each element of bottom[0] "
                f"{bottom[0].shape}"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        predicted, target, scale = (blob.data.ravel() for blob in bottom)
        self.difference = (predicted - target) * scale
        top[0].data[...] = np.dot(self.difference, self.difference) / (2 * bottom[0].count)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for index, sign in enumerate((1, -1)):
            if propagate_down[index]:
                factor = self.difference.dtype.type(sign * loss_weight(top) / bottom[0].count)
                np.multiply(self.difference, factor, out=bottom[index].diff.ravel())
