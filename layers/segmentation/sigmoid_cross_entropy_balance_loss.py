"""SigmoidCrossEntropyBalanceLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.logexp import exp_of_negative, log1p_exp
from caffe_compat.layers.common.loss import LossLayer, check_equal_counts, loss_weight
from caffe_compat.layers.registry import register


@register("SigmoidCrossEntropyBalanceLoss")
class SigmoidCrossEntropyBalanceLoss(LossLayer):
    """Minus log(s) of positives and minus log(1 - s) of negatives, s = 1 / (1 + exp(-x)), balanced in each image.

    bottom[0]: scores x, any shape. bottom[1]: as many targets: 1 is positive, 0 negative, others count nothing. Of an
    image with P positives and N negatives, a positive weighs N / (P + N) and a negative negative_weight P / (P + N);
    an image without either gives 0. top[0]: the sum over the number of images, a scalar. The gradient is weighted
    alike, but at other targets t it is s - t, as there, or with ignore_others: 0. Raises LayerError when the bottoms'
    counts differ.

    The fields of sigmoid_cross_entropy_balance_loss_param are this project's: RCF's loss has negative_weight: 1.1 and
    ignore_others: true. Source: SigmoidCrossEntropyBalanceLossLayer of OSVOS, the same as SigmoidCrossEntropyLossLayer
    of HED's fork of Caffe; Xie and Tu, Holistically-Nested Edge Detection (2015); Liu et al., RCF (2017).
    """

    reads = ("sigmoid_cross_entropy_balance_loss_param",)
    origin = "OSVOS, HED, RCF"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_equal_counts(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, target = self._rows(bottom)
        logs = np.empty_like(x)
        log1p_exp(x.reshape(-1), logs.reshape(-1))
        losses = (logs + np.maximum(x, 0) - x * target) * self._weights(target)
        top[0].data[...] = losses.sum() / len(x)

    def _rows(self, bottom: Sequence[Blob]) -> list[np.ndarray]:
        return [blob.data.reshape(bottom[0].num, -1) for blob in bottom]

    def _weights(self, target: np.ndarray, others: float = 0) -> np.ndarray:
        """What each element counts."""
        positive, negative = target == 1, target == 0
        p, n = (mask.sum(axis=1, keepdims=True) for mask in (positive, negative))
        counted = np.maximum(p + n, 1)
        param = self.layer_param.sigmoid_cross_entropy_balance_loss_param
        of_negatives = np.where(negative, param.negative_weight * p / counted, others)
        return np.where(positive, n / counted, of_negatives)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x, target = self._rows(bottom)
            x_diff = bottom[0].diff.reshape(x.shape)
            exp_of_negative(x.reshape(-1), x_diff.reshape(-1))
            ignores = self.layer_param.sigmoid_cross_entropy_balance_loss_param.ignore_others
            weights = self._weights(target, others=not ignores) * (loss_weight(top) / len(x))
            x_diff[...] = (1 / (1 + x_diff) - target) * weights
