"""SigmoidCrossEntropyLoss."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.common.logexp import exp_of_negative, log1p_exp
from caffe_compat.layers.common.loss import (
    BATCH_SIZE,
    NO_CLASS_WEIGHTS,
    LossLayer,
    check_equal_counts,
    ignored_label,
    loss_weight,
    normalization_mode,
    normalizer,
)
from caffe_compat.layers.kernels import sigmoid_loss as kernels
from caffe_compat.layers.kernels.scratch import scratch
from caffe_compat.layers.registry import register


@register("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(LossLayer):
    """Minus t log(s) - (1 - t) log(1 - s) for s = 1 / (1 + exp(-x)), summed; divided by the number of examples.

    bottom[0]: scores x, any shape. bottom[1]: as many targets t, from 0 to 1. top[0]: a scalar. Targets whose
    whole part is loss_param.ignore_label do not count; loss_param.normalization divides by something else.
    Raises LayerError when the bottoms' counts differ.
    Source: BVLC's SigmoidCrossEntropyLossLayer; the Fast R-CNN fork's leaves loss_param out of account.
    """

    refused = NO_CLASS_WEIGHTS
    reads = ("loss_param",)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_equal_counts(self, bottom)
        ignored = ignored_label(self.layer_param.loss_param)
        self.ignored = (False, 0) if ignored is None else (True, ignored)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, target = (blob.data.reshape(-1) for blob in bottom)
        logs = scratch(x.shape, x.dtype)
        log1p_exp(x, logs)
        loss, count = kernels.sigmoid_loss(x, target, logs, *self.ignored)
        param = self.layer_param.loss_param
        mode, examples = normalization_mode(param, BATCH_SIZE), bottom[0].num
        counts = examples, bottom[0].count // examples, count
        self.normalizer = normalizer(mode, *counts, param.pre_fixed_normalizer)
        top[0].data[...] = loss / self.normalizer

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x, target = (blob.data.reshape(-1) for blob in bottom)
            scale = x.dtype.type(loss_weight(top) / self.normalizer)
            x_diff = bottom[0].diff.reshape(-1)
            exp_of_negative(x, x_diff)
            kernels.sigmoid_loss_backward(x_diff, target, *self.ignored, scale, x_diff)
