"""SoftmaxKLDLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import around_axis, canonical_axis
from caffe_compat.layers.common.loss import (
    NO_CLASS_WEIGHTS,
    NO_LABEL_WEIGHTS,
    LossLayer,
    check_equal_counts,
    loss_weight,
    normalization_mode,
    normalizer,
)
from caffe_compat.layers.kernels.softmax import softmax
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import SoftmaxKLDLossParameter

LEAST = np.finfo(np.float32).tiny  # the logarithm of a smaller number is that of this


@register("SoftmaxKLDLoss")
class SoftmaxKLDLoss(LossLayer):
    """How far the softmax p of bottom[0] is from a distribution t: the sum of w t (log t - log p).

    bottom[0]: scores, along softmax_param.axis; bottom[1]: as many numbers t; bottom[2], if there is one: a weight w of
    each place. softmax_kld_loss_param.type CROSS_ENTROPY leaves log t out. top[0]: the sum over what
    loss_param.normalization says, VALID being the sum of the weights, each without its sign. The gradient is w (p - t),
    the true one where t sums to 1. Raises LayerError for other shapes.

    Source: SoftmaxKLDLossLayer of gustavla/autocolorize.
    """

    reads = ("loss_param", "softmax_param", "softmax_kld_loss_param")
    bottom_count = (2, 3)
    no_gradient = (1, 2)
    origin = "autocolorize"
    without_effect = ("softmax_param.normalize_type", "loss_param.ignore_label")
    refused = NO_LABEL_WEIGHTS | NO_CLASS_WEIGHTS

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_equal_counts(self, bottom)
        axis = canonical_axis(self, self.layer_param.softmax_param.axis, bottom[0])
        self.view = around_axis(bottom[0].shape, axis)
        if len(bottom) > 2 and bottom[2].count != self.view[0] * self.view[2]:
            raise self.error(
                f"bottom[2] has the shape {bottom[2].shape}; expected a weight for each of "
                f"{self.view[0] * self.view[2]} places of bottom[0], whose shape is {bottom[0].shape}"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.prob = np.empty(self.view, bottom[0].dtype)
        softmax(bottom[0].data.reshape(self.view), self.prob)
        target = bottom[1].data.reshape(self.view)
        logs = np.log(np.maximum(self.prob, LEAST))
        if self.layer_param.softmax_kld_loss_param.type == SoftmaxKLDLossParameter.KL_DIVERGENCE:
            logs -= np.log(np.maximum(target, LEAST))
        total = (logs * target * self._weights(bottom)).sum(dtype=np.float64)
        top[0].data[...] = -total / self._divisor(bottom)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            diff = bottom[0].diff.reshape(self.view)
            np.subtract(self.prob, bottom[1].data.reshape(self.view), out=diff)
            diff *= self._weights(bottom) * diff.dtype.type(loss_weight(top) / self._divisor(bottom))

    def _weights(self, bottom: Sequence[Blob]) -> np.ndarray:
        """Of each place, outer x 1 x inner."""
        outer, _, inner = self.view
        if len(bottom) < 3:
            return np.ones((outer, 1, inner), bottom[0].dtype)
        weights: np.ndarray = bottom[2].data.reshape(outer, 1, inner)
        return weights

    def _divisor(self, bottom: Sequence[Blob]) -> float:
        param, (outer, _, inner) = self.layer_param.loss_param, self.view
        weights = float(np.abs(self._weights(bottom)).sum(dtype=np.float64))
        return normalizer(normalization_mode(param), outer, inner, weights, param.pre_fixed_normalizer)
