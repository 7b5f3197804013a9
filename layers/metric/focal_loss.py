"""FocalLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import canonical_axis
from caffe_compat.layers.common.loss import (
    NO_CLASS_WEIGHTS,
    NO_LABEL_WEIGHTS,
    LossLayer,
    check_label_count,
    class_labels,
    ignored_label,
    loss_weight,
    normalization_mode,
    normalizer,
)
from caffe_compat.layers.kernels.softmax import softmax
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import FocalLossParameter

LEAST = np.finfo(np.float32).tiny


@register("FocalLoss")
class FocalLoss(LossLayer):
    """Softmax loss in which a label of probability p costs -alpha (1 - p)^gamma log p.

    bottom[0]: scores, the classes on softmax_param.axis; bottom[1]: one whole label for each example and place. top[0]:
    the loss, divided as loss_param.normalization says; top[1], if wanted: the probabilities. With focal_loss_param.type
    ONEADDP, happynear's, the cost is -(alpha + p)^gamma log p, and alpha is 1 unless it is given; its gradient takes
    1 + p for alpha + p. Raises LayerError for type LINEAR, gamma below 0, alpha not above 0, labels out of range.
    Source: FocalLossLayer of zimenglan's Focal-Loss, ONEADDP of happynear's Caffe; Lin et al. (2017).
    """

    reads = ("loss_param", "softmax_param", "focal_loss_param")
    origin = "zimenglan"
    top_count = (1, 2)
    refused = NO_CLASS_WEIGHTS | NO_LABEL_WEIGHTS
    without_effect = ("softmax_param.normalize_type", "focal_loss_param.beta", "focal_loss_param.axis")

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.focal_loss_param
        self.adds = param.type == FocalLossParameter.ONEADDP
        self.alpha = 1.0 if self.adds and not param.HasField("alpha") else param.alpha
        if param.type == FocalLossParameter.LINEAR:
            raise self.error("focal_loss_param.type is LINEAR, which no Caffe computes; use ORIGIN")
        if param.gamma < 0 or not self.alpha > 0:
            raise self.error(
                f"gamma is {param.gamma:g}, alpha {self.alpha:g}; expected 0 at least, and above 0"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        axis = canonical_axis(self, self.layer_param.softmax_param.axis, bottom[0])
        self.view = check_label_count(self, bottom, axis)
        if len(top) > 1:
            top[1].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        outer, classes, inner = self.view
        param = self.layer_param.loss_param
        labels = class_labels(self, bottom[1], classes, ignored_label(param))
        i, k = np.divmod(np.flatnonzero(labels >= 0), inner)
        self.own = i, labels[labels >= 0], k
        self.prob = np.empty(self.view, bottom[0].dtype)
        softmax(bottom[0].data.reshape(self.view), self.prob)
        counts = outer, inner, len(i)
        self.normalizer = normalizer(normalization_mode(param), *counts, param.pre_fixed_normalizer)
        p = self.prob[self.own]
        self.power, self.log = self._power(p), np.log(np.maximum(p, LEAST))
        top[0].data[...] = -(self.power * self.log).sum() / self.normalizer
        if len(top) > 1:
            top[1].data[...] = self.prob.reshape(bottom[0].shape)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            diff, (i, _, k) = bottom[0].diff.reshape(self.view), self.own
            diff[...] = 0
            diff[i, :, k] = self._slope(self.prob[self.own])[:, None] * self._apart()
            diff *= diff.dtype.type(loss_weight(top) / self.normalizer)

    def _power(self, p: np.ndarray) -> np.ndarray:
        gamma = self.layer_param.focal_loss_param.gamma
        with np.errstate(invalid="ignore"):
            return (self.alpha + p) ** gamma if self.adds else self.alpha * (1 - p) ** gamma

    def _slope(self, p: np.ndarray) -> np.ndarray:
        """The cost's derivative by p, times -p."""
        gamma = self.layer_param.focal_loss_param.gamma
        part = gamma * self.power / np.maximum(1 + p if self.adds else 1 - p, 1e-10) * self.log * p
        return self.power + (part if self.adds else -part)

    def _apart(self) -> np.ndarray:
        """For each label, the probabilities minus 1 at its class."""
        i, label, k = self.own
        apart = self.prob[i, :, k]
        apart[np.arange(len(label)), label] -= 1
        return apart
