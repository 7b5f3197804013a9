"""SoftmaxCrossEntropyLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import around_axis, canonical_axis
from caffe_compat.layers.common.loss import NO_LABEL_WEIGHTS, LossLayer, check_equal_counts, loss_weight
from caffe_compat.layers.kernels.softmax import softmax
from caffe_compat.layers.registry import register


@register("SoftmaxCrossEntropyLoss")
class SoftmaxCrossEntropyLoss(LossLayer):
    """How much the softmax of bottom[0] along softmax_param.axis says less than bottom[1], in nats.

    bottom[0]: scores; bottom[1]: the share t of each class, as many numbers, summing to 1. top[0]: the sum of
    t (log t - log p) over t above 0, divided by the number of examples: the cross entropy without the part of t alone.
    The gradient is p - t. Raises LayerError for other shapes. Source: SoftmaxCrossEntropyLossLayer of public Caffes.
    """

    reads = ("softmax_param",)
    origin = "Wheatly2"
    without_effect = ("softmax_param.normalize_type",)
    refused = NO_LABEL_WEIGHTS

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_equal_counts(self, bottom)
        axis = canonical_axis(self, self.layer_param.softmax_param.axis, bottom[0])
        self.view = around_axis(bottom[0].shape, axis)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.prob = np.empty(self.view, bottom[0].dtype)
        softmax(bottom[0].data.reshape(self.view), self.prob)
        target = bottom[1].data.reshape(self.view)
        counts = target > 0
        p, t = self.prob[counts], target[counts]
        with np.errstate(divide="ignore"):
            top[0].data[...] = (t * (np.log(t) - np.log(p))).sum() / bottom[0].num

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            diff = bottom[0].diff.reshape(self.view)
            np.subtract(self.prob, bottom[1].data.reshape(self.view), out=diff)
            diff *= diff.dtype.type(loss_weight(top) / bottom[0].num)
