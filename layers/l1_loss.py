"""L1Loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_equal_counts, loss_weight
from caffe_compat.layers.registry import register


@register("L1Loss")
class L1Loss(LossLayer):
    """Sum of |bottom[0] - bottom[1]|, divided by the number of rows; top[0] is a scalar.

    Both bottoms have as many elements, and both take a gradient, 0 where they are equal.
    Source: NVCaffe's L1LossLayer, which DetectNet learns boxes with.
    """

    reads = ()
    no_gradient = ()
    origin = "NVCaffe"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_equal_counts(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        distances = np.abs(bottom[0].data.ravel() - bottom[1].data.ravel())
        top[0].data[...] = distances.sum(dtype=np.float64) / bottom[0].num

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        signs = np.sign(bottom[0].data.ravel() - bottom[1].data.ravel())
        for index, sign in enumerate((1, -1)):
            if propagate_down[index]:
                scale = signs.dtype.type(sign * loss_weight(top) / bottom[0].num)
                np.multiply(signs, scale, out=bottom[index].diff.ravel())
