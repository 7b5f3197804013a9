"""What SmoothL1Loss and SINet's SmoothL1Loss2 share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import BATCH_SIZE, NO_CLASS_WEIGHTS, LossLayer, loss_weight
from caffe_compat.layers.fast_rcnn.row_losses import check_same_size, row_normalizer, row_shape, row_sums
from caffe_compat.layers.kernels import smooth_l1 as kernels


class RobustLoss(LossLayer):
    """The sum of w_out * f(w_in * (bottom[0] - bottom[1])) over the number of rows; f has the sigma of the subclass."""

    top_count = (1, 2)
    allows_ignored_gradient = True
    refused = NO_CLASS_WEIGHTS
    without_effect = ("loss_param.ignore_label",)  # there are no labels

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        message, sigma = self._sigma()
        if not sigma > 0:
            raise self.error(f"{message}.sigma is {sigma:g}; it must be greater than 0")
        self.sigma2 = sigma * sigma
        self.ones = np.ones(0, bottom[0].dtype)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_same_size(self, bottom)
        if len(bottom) < 4 and self.ones.size != bottom[0].count:
            self.ones = np.ones(bottom[0].count, bottom[0].dtype)
        if len(top) > 1:
            top[1].reshape(*row_shape(bottom))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        loss = kernels.smooth_l1_sum(*self._values(bottom), self.sigma2)
        top[0].data[...] = loss / row_normalizer(self, bottom, BATCH_SIZE)
        if len(top) > 1:
            top[1].data[...] = row_sums(self._errors(bottom), bottom)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        values = self._values(bottom)
        if len(bottom) == 3:
            pred, target, weights, _ = values
            # the weighted difference for predictions, so that the weights are no factor of the gradient
            values = weights * (pred - target), np.zeros_like(self.ones), self.ones, self.ones
        for index, sign in enumerate((1, -1)):
            if propagate_down[index]:
                scale = sign * loss_weight(top) / row_normalizer(self, bottom, BATCH_SIZE)
                kernels.smooth_l1_backward(*values, self.sigma2, scale, bottom[index].diff.ravel())

    def _sigma(self) -> tuple[str, float]:
        """The message that has it, and what it is."""
        raise NotImplementedError

    def _errors(self, bottom: Sequence[Blob]) -> np.ndarray:
        """What each element costs, flat."""
        pred, target, inside, outside = self._values(bottom)
        distance = np.abs(inside * (pred - target))
        near = 0.5 * self.sigma2 * distance * distance
        return outside * np.where(distance < 1 / self.sigma2, near, distance - 0.5 / self.sigma2)

    def _values(self, bottom: Sequence[Blob]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Predictions, targets, inside and outside weights, all flat."""
        pred, target, *weights = (blob.data.ravel() for blob in bottom)
        inside, outside = [*weights, self.ones, self.ones][:2]
        return pred, target, inside, outside
