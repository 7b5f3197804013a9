"""MultinomialLogisticLoss."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import (
    LEAST_PROBABILITY,
    LossLayer,
    check_one_label_each,
    class_labels,
    loss_weight,
)
from caffe_compat.layers.kernels.softmax import log_loss
from caffe_compat.layers.registry import register


@register("MultinomialLogisticLoss")
class MultinomialLogisticLoss(LossLayer):
    """Minus the mean logarithm of the probability that bottom[0] gives to each example's label.

    bottom[0]: probabilities (behind a Softmax, say), examples x classes; further axes are classes too.
    bottom[1]: one whole label (0 to classes - 1) an example. top[0]: the loss, a scalar. Probabilities below
    1e-20 count as 1e-20. Raises LayerError for a label out of range.
    Source: Caffe's MultinomialLogisticLossLayer.
    """

    reads = ()

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = (*check_one_label_each(self, bottom), 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        examples, classes, _ = self.view
        self.labels = class_labels(self, bottom[1], classes).reshape(examples, 1)
        loss = log_loss(bottom[0].data.reshape(self.view), self.labels, LEAST_PROBABILITY)
        top[0].data[...] = loss / examples

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            examples, classes, _ = self.view
            x, x_diff = (array.reshape(examples, classes) for array in (bottom[0].data, bottom[0].diff))
            hit = range(examples), self.labels[:, 0]
            x_diff.fill(0)
            x_diff[hit] = -loss_weight(top) / examples / x[hit].clip(LEAST_PROBABILITY)
