"""SmoothL1Loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.kernels import smooth_l1 as kernels
from caffe_compat.layers.registry import register


@register("SmoothL1Loss")
class SmoothL1Loss(LossLayer):
    """Robust regression loss: sum of w_out * f(w_in * (bottom[0] - bottom[1])), over the number of rows.

    f(d) = 0.5 (sigma d)^2 where |d| < 1 / sigma^2, else |d| - 0.5 / sigma^2 (smooth_l1_loss_param.sigma).
    bottom[2] and bottom[3], both or none: the inside weights w_in and outside weights w_out. All bottoms have
    as many rows and elements; top[0] is a scalar. Both predictions and targets take a gradient.
    Source: SmoothL1LossLayer of the Fast R-CNN fork of Caffe; Girshick, Fast R-CNN (2015), section 2.3.
    """

    reads = ("smooth_l1_loss_param",)
    origin = "Fast R-CNN"
    bottom_count = (2, 4)
    no_gradient = (2, 3)
    allows_ignored_gradient = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        sigma = self.layer_param.smooth_l1_loss_param.sigma
        if not sigma > 0:
            raise self.error(f"smooth_l1_loss_param.sigma is {sigma:g}; it must be greater than 0")
        if len(bottom) == 3:
            raise self.error("there are 3 bottoms; give 2, or 4 with both inside and outside weights")
        self.sigma2 = sigma * sigma
        self.ones = np.ones(0, bottom[0].dtype)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        for index, blob in enumerate(bottom):
            if blob.num != bottom[0].num or blob.count != bottom[0].count:
                raise self.error(f"bottom[{index}] has the shape {blob.shape}, bottom[0] {bottom[0].shape}")
        if len(bottom) == 2 and self.ones.size != bottom[0].count:
            self.ones = np.ones(bottom[0].count, bottom[0].dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = kernels.smooth_l1_sum(*self._values(bottom), self.sigma2) / bottom[0].num

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for index, sign in enumerate((1, -1)):
            if propagate_down[index]:
                scale = sign * loss_weight(top) / bottom[0].num
                kernels.smooth_l1_backward(
                    *self._values(bottom), self.sigma2, scale, bottom[index].diff.ravel()
                )

    def _values(self, bottom: Sequence[Blob]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Predictions, targets, inside and outside weights, all flat."""
        pred, target, *weights = (blob.data.ravel() for blob in bottom)
        inside, outside = weights or (self.ones, self.ones)
        return pred, target, inside, outside
