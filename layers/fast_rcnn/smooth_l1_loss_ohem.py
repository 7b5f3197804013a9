"""SmoothL1LossOHEM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import NO_CLASS_WEIGHTS, VALID, LossLayer, loss_weight
from caffe_compat.layers.fast_rcnn.row_losses import check_same_size, row_normalizer, row_shape, row_sums
from caffe_compat.layers.registry import register


@register("SmoothL1LossOHEM")
class SmoothL1LossOHEM(LossLayer):
    """Robust regression loss, the sum of f(w * (bottom[0] - bottom[1])), and what each row of it costs.

    f(d) = 0.5 d^2 where |d| < 1, else |d| - 0.5. bottom[0]: R x D predictions, or R x D x H x W. bottom[1]: targets,
    and bottom[2], where it is given: the weights w; of as many rows and elements. top[0]: the sum, divided as
    loss_param.normalization says (VALID, the default, and FULL: by R H W). top[1], if wanted: the sums over D alone,
    R x 1 x H x W, or R where the targets have two axes; no gradient is taken from it. Predictions and targets take
    a gradient, f'(w d): as in the fork, without the factor w, so right for weights of 0 and 1.
    Source: SmoothL1LossOHEMLayer of R-FCN's fork of Caffe, whose top[1] always has four axes.
    """

    reads = ("loss_param",)
    bottom_count = (2, 3)
    top_count = (1, 2)
    no_gradient = (2,)
    allows_ignored_gradient = True
    refused = NO_CLASS_WEIGHTS
    origin = "R-FCN"
    without_effect = ("loss_param.ignore_label",)  # there are no labels

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_same_size(self, bottom)
        if len(top) > 1:
            top[1].reshape(*row_shape(bottom))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        distance = np.abs(self._distance(bottom))
        errors = np.where(distance < 1, 0.5 * distance * distance, distance - 0.5)
        top[0].data[...] = errors.sum(dtype=np.float64) / row_normalizer(self, bottom, VALID)
        if len(top) > 1:
            top[1].data[...] = row_sums(errors, bottom)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for index, sign in enumerate((1, -1)):
            if propagate_down[index]:
                slope = np.clip(self._distance(bottom), -1, 1)
                scale = slope.dtype.type(sign * loss_weight(top) / row_normalizer(self, bottom, VALID))
                bottom[index].diff[...] = (scale * slope).reshape(bottom[index].shape)

    def _distance(self, bottom: Sequence[Blob]) -> np.ndarray:
        """w * (predictions - targets), flat."""
        pred, target, *weights = (blob.data.ravel() for blob in bottom)
        return weights[0] * (pred - target) if weights else pred - target
