"""WeightedFmeasureLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.registry import register


@register("WeightedFmeasureLoss")
class WeightedFmeasureLoss(LossLayer):
    """1 - F for the F-measure 2 P R / (P + R) of predicted probabilities, with a weight for each pixel.

    bottom[0]: probabilities x, any shape. bottom[1]: as many targets t, 0 or 1. bottom[2], bottom[3]: as many weights,
    r for the recall R = sum(r t x) / sum(r t), and p for the precision P = sum(p t x) / sum(p x). top[0]: the mean over
    the images, or with weighted_fmeasure_loss_param.avg_fm: false that of all pixels together, a scalar. top[1], with
    avg_fm, if wanted: the F of each image, N x 1, no gradient is taken from it. Where P or R is 0 the loss is
    mse_lambda / 2 times the mean of (t - x)^2 weighted by p, and the F 0. With a margin below 0.5, an x that is at
    least margin beyond 0.5 on the target's side counts as the target, and takes no gradient.

    The gradient is the original's, not the slope: twice the part that comes from R, without the loss weight. Raises
    LayerError when the bottoms' counts differ.

    Source: WeightedFmeasureLossLayer of ctensmeyer's Caffe; Tensmeyer and Martinez, Document Image Binarization with
    Fully Convolutional Neural Networks (2017).
    """

    reads = ("weighted_fmeasure_loss_param",)
    bottom_count = (4, 4)
    top_count = (1, 2)
    no_gradient = (1, 2, 3)
    origin = "ctensmeyer"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        param = self.layer_param.weighted_fmeasure_loss_param
        if any(blob.count != bottom[0].count for blob in bottom):
            shapes = ", ".join(str(blob.shape) for blob in bottom)
            raise self.error(f"the bottoms have the shapes {shapes}; they need as many elements each")
        if len(top) > 1 and not param.avg_fm:
            raise self.error("top[1] is the F-measure of each image; remove it, or avg_fm: false")
        self.view = bottom[0].num if param.avg_fm else 1, -1
        for blob in top[1:]:
            blob.reshape(bottom[0].num, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, target, recall_weights, weights = self._rows(bottom)
        both = x * target
        self.totals = (
            (both * recall_weights).sum(1),
            (target * recall_weights).sum(1),
            (both * weights).sum(1),
            (x * weights).sum(1),
        )
        recall, precision = self._ratios()
        measure = 2 * recall * precision / np.where(self._defined(), recall + precision, 1)
        squares = 0.5 * (weights * (target - x) ** 2).sum(1) / _divisor(np.abs(weights).sum(1))
        lambda_ = self.layer_param.weighted_fmeasure_loss_param.mse_lambda
        top[0].data[...] = np.where(self._defined(), 1 - measure, lambda_ * squares).mean()
        for blob in top[1:]:
            blob.data[...] = measure[:, None]

    def _rows(self, bottom: Sequence[Blob]) -> list[np.ndarray]:
        """All bottoms, a row for each loss; the probabilities with what counts as the target in its place."""
        rows = [blob.data.reshape(self.view) for blob in bottom]
        return [np.where(self._settled(*rows[:2]), rows[1], rows[0]), *rows[1:]]

    def _settled(self, x: np.ndarray, target: np.ndarray) -> np.ndarray:
        margin = self.layer_param.weighted_fmeasure_loss_param.margin
        if not 0 < margin < 0.5:
            return np.zeros(x.shape, bool)
        return np.where(target > 0.5, x >= 0.5 + margin, x <= 0.5 - margin)

    def _ratios(self) -> tuple[np.ndarray, np.ndarray]:
        """Recall and precision of each row, 0 where they are not defined."""
        right, of_recall, right_too, of_precision = self.totals
        return right / _divisor(of_recall), right_too / _divisor(of_precision)

    def _defined(self) -> np.ndarray:
        recall, precision = self._ratios()
        return (recall != 0) & (precision != 0)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x, target, recall_weights, weights = self._rows(bottom)
        recall, precision = self._ratios()
        square = np.where(self._defined(), (recall + precision) ** 2, 1)
        _, of_recall, right, of_precision = (total[:, None] for total in self.totals)
        by_recall = (-4 * precision**2 / square)[:, None] * target * recall_weights / _divisor(of_recall)
        slope = (of_precision * target - right) * weights / _divisor(of_precision) ** 2
        by_precision = (-2 * loss_weight(top) * recall**2 / square)[:, None] * slope
        lambda_ = self.layer_param.weighted_fmeasure_loss_param.mse_lambda
        total = _divisor(np.abs(weights).sum(1, keepdims=True))
        by_squares = lambda_ * loss_weight(top) * weights * (x - target) / total
        diff = np.where(self._defined()[:, None], by_recall + by_precision, by_squares) / len(x)
        probabilities = bottom[0].data.reshape(self.view)
        diff[self._settled(probabilities, target)] = 0
        bottom[0].diff[...] = diff.reshape(bottom[0].shape)


def _divisor(values: np.ndarray) -> np.ndarray:
    """The values, 1 where they are 0."""
    return np.where(values == 0, 1, values)
