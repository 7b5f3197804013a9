"""NormalizedSigmoidCrossEntropyLoss."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.common.logexp import exp_of_negative, log1p_exp
from caffe_compat.layers.common.loss import LossLayer, check_equal_counts, loss_weight
from caffe_compat.layers.kernels import sigmoid_loss as kernels
from caffe_compat.layers.kernels.scratch import scratch
from caffe_compat.layers.registry import register

NOTHING_IGNORED = False, 0


@register("NormalizedSigmoidCrossEntropyLoss")
class NormalizedSigmoidCrossEntropyLoss(LossLayer):
    """The sum of SigmoidCrossEntropyLoss over the number of examples and places.

    bottom[0]: scores N x C x H x W; bottom[1]: as many targets, from 0 to 1. top: a scalar, divided by N H W. Raises
    LayerError for other shapes.
    Source: NormalizedSigmoidCrossEntropyLossLayer of chwilms/AttentionMask.
    """

    reads = ()
    origin = "AttentionMask"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_equal_counts(self, bottom)
        if len(bottom[0].shape) != 4:
            raise self.error(f"bottom[0] has the shape {bottom[0].shape}; expected N x C x H x W")
        self.places = bottom[0].num * bottom[0].height * bottom[0].width

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, target = (blob.data.reshape(-1) for blob in bottom)
        logs = scratch(x.shape, x.dtype)
        log1p_exp(x, logs)
        top[0].data[...] = kernels.sigmoid_loss(x, target, logs, *NOTHING_IGNORED)[0] / self.places

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x, target = (blob.data.reshape(-1) for blob in bottom)
            scale = x.dtype.type(loss_weight(top) / self.places)
            x_diff = bottom[0].diff.reshape(-1)
            exp_of_negative(x, x_diff)
            kernels.sigmoid_loss_backward(x_diff, target, *NOTHING_IGNORED, scale, x_diff)
