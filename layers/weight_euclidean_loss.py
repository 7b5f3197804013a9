"""WeightEuclideanLoss: for the 68 points of a face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.registry import register

POINTS = 68
CONTOUR = 17  # points of the chin's line; those behind are the main ones
COARSE = np.array([18, 22, 23, 27, 37, 40, 43, 46, 28, 32, 36, 49, 55]) - 1
TINY = np.finfo(np.float32).tiny


@register("WeightEuclideanLoss")
class WeightEuclideanLoss(LossLayer):
    """EuclideanLoss of the 68 points of a face, with weights, and over the distance of the eyes.

    bottom[0], bottom[1]: predicted and true points, N x 136, all x and then all y; both take a gradient. bottom[2], if
    given: N x 136 factors of the loss, which the gradient leaves out. top[0]: a scalar. weight_euclidean_loss_param:
    the weights of the 17 points of the contour, of the others (main), and of 13 coarse ones among these; one of 0
    gives its points none (coarse: that of main). normalized 1: each example is divided by the distance of the true
    points 36 and 42, whose y are taken from 39 and 45; with normalized_type other than 0, by the diagonal of the true
    points' box with (0, 1). The gradient takes that as a number. Raises LayerError for other shapes.
    Source: WeightEuclideanLossLayer of goodluckcwl's Caffe.
    """

    reads = ("weight_euclidean_loss_param",)
    origin = "goodluckcwl"
    bottom_count = (2, 3)
    no_gradient = (2,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.weight_euclidean_loss_param
        weights = np.zeros(POINTS, bottom[0].dtype)
        weights[:CONTOUR], weights[CONTOUR:] = param.contour_weight, param.main_weight
        if param.coarse_weight:
            weights[COARSE] = param.coarse_weight
        self.weights = np.tile(weights, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = bottom[0].num, 2 * POINTS
        if any(blob.count != self.view[0] * self.view[1] for blob in bottom):
            raise self.error(
                f"the bottoms have the shapes {[b.shape for b in bottom]}; expected N x {2 * POINTS} each"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        predicted, true, *factors = (blob.data.reshape(self.view) for blob in bottom)
        difference = predicted - true
        self.slope = self.weights * difference / self._sizes(true)[:, None]
        if factors:
            difference = difference * factors[0]
        top[0].data[...] = np.vdot(self.slope, difference) / self.view[0] / 2

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for index, sign in enumerate((1, -1)):
            if propagate_down[index]:
                scale = self.slope.dtype.type(sign * loss_weight(top) / self.view[0])
                np.multiply(self.slope, scale, out=bottom[index].diff.reshape(self.view))

    def _sizes(self, true: np.ndarray) -> np.ndarray:
        param = self.layer_param.weight_euclidean_loss_param
        if param.normalized != 1:
            return np.ones(len(true), true.dtype)
        x, y = true[:, :POINTS], true[:, POINTS:]
        if param.normalized_type == 0:
            across, down = x[:, 36] - x[:, 42], y[:, 39] - y[:, 45]
        else:
            across, down = (np.minimum(1, a.min(axis=1)) - np.maximum(0, a.max(axis=1)) for a in (x, y))
        return np.maximum(np.hypot(across, down), TINY)
