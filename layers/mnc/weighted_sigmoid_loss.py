"""SigmoidCrossEntropyLoss with weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import (
    BATCH_SIZE,
    NO_CLASS_WEIGHTS,
    LossLayer,
    ignored_label,
    loss_weight,
    normalization_mode,
    normalizer,
)
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def has_weights(layer_param: LayerParameter) -> bool:
    """Whether a layer of type SigmoidCrossEntropyLoss has MNC's third bottom."""
    return len(layer_param.bottom) == 3


@register_form("WeightedSigmoidCrossEntropyLoss", of="SigmoidCrossEntropyLoss", describes=has_weights)
class WeightedSigmoidCrossEntropyLoss(LossLayer):
    """Minus the sum of w (t log(s) + (1 - t) log(1 - s)) for s = 1 / (1 + exp(-x)), divided by the sum of w.

    A layer of type SigmoidCrossEntropyLoss with three bottoms is this one. bottom[0]: scores x, any shape; bottom[1]
    and bottom[2]: as many targets t and weights w, which take no gradient. top[0]: a scalar; where the weights do not
    sum to more than 0 it is 0, and so is the gradient. With a loss_param, which only ARL's has, it is divided as for
    SigmoidCrossEntropyLoss instead, and targets that are ignore_label do not count.
    Raises LayerError when the bottoms' counts differ.

    Source: SigmoidCrossEntropyLossLayer of daijifeng001/caffe-mnc, which keeps the last loss without weights, and of
    ARL (ZhiwenShao).
    """

    reads = ("loss_param",)
    refused = NO_CLASS_WEIGHTS
    bottom_count = (3, 3)
    no_gradient = (1, 2)
    origin = "MNC"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if not bottom[0].count == bottom[1].count == bottom[2].count:
            raise self.error(
                f"the bottoms have the shapes {[blob.shape for blob in bottom]}; expected as many numbers"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, target, _ = (blob.data.ravel() for blob in bottom)
        weights = self._weights(bottom)
        losses = np.logaddexp(0, x) - x * target
        self.scale = self._scale(bottom, weights)
        top[0].data[...] = (weights * losses).sum(dtype=np.float64) * self.scale

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x, target, _ = (blob.data.ravel() for blob in bottom)
            slopes = (np.tanh(x / 2) + 1) / 2 - target
            scale = self.dtype(loss_weight(top) * self.scale)
            bottom[0].diff[...] = (self._weights(bottom) * slopes * scale).reshape(bottom[0].shape)

    def _weights(self, bottom: Sequence[Blob]) -> np.ndarray:
        return np.where(self._counts(bottom), bottom[2].data.ravel(), 0)

    def _counts(self, bottom: Sequence[Blob]) -> np.ndarray:
        """Whether each target counts."""
        targets, ignored = bottom[1].data.ravel(), ignored_label(self.layer_param.loss_param)
        return np.full(targets.shape, True) if ignored is None else np.trunc(targets) != ignored

    def _scale(self, bottom: Sequence[Blob], weights: np.ndarray) -> float:
        if not self.layer_param.HasField("loss_param"):
            total = weights.sum(dtype=np.float64)
            return 1 / total if total > 0 else 0
        param, examples = self.layer_param.loss_param, bottom[0].num
        each = bottom[0].count // examples
        count = int(self._counts(bottom).sum())
        mode = normalization_mode(param, BATCH_SIZE)
        return 1 / normalizer(mode, examples, each, count, param.pre_fixed_normalizer)
