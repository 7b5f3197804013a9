"""SoftmaxWithBalanceLoss: DeepSkeleton's softmax loss, in which each side weighs as much as the other is frequent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import NO_CLASS_WEIGHTS, NO_LABEL_WEIGHTS
from caffe_compat.layers.registry import register
from caffe_compat.layers.softmax_loss import SoftmaxWithLoss


@register("SoftmaxWithBalanceLoss")
class SoftmaxWithBalanceLoss(SoftmaxWithLoss):
    """SoftmaxWithLoss in which labels of class 0 and all others are balanced.

    The cost of a label of class 0 is multiplied by the others' share of all labels that count, that of another label
    by the share of class 0. A label that is no class because it is too large is one of class 0, before it is compared
    with ignore_label. bottoms and tops as SoftmaxWithLoss has them, at most two tops.
    The gradient of an image goes by the shares in the images up to it, where ignored labels count too: that is the
    original's, and the loss's own for one image without ignored labels.
    Raises LayerError as SoftmaxWithLoss does.
    Source: SoftmaxWithLossLayer of DeepSkeleton's fork of Caffe, where this is type SoftmaxWithLoss (its gradient is
    infinite with normalize: true; here it is divided as the loss is); Shen et al., DeepSkeleton (2017).
    """

    reads = ("loss_param", "softmax_param")
    origin = "DeepSkeleton"
    top_count = (1, 2)
    refused = NO_CLASS_WEIGHTS | NO_LABEL_WEIGHTS

    def _given_labels(self, bottom: Sequence[Blob]) -> Blob:
        labels, classes = bottom[1].data, self.view[1]
        folded = Blob(bottom[1].shape, bottom[1].dtype)
        folded.data[...] = np.where((labels >= classes) & np.isfinite(labels), 0, labels)
        self.is_positive = folded.data.reshape(self.view[0], self.view[2]) >= 1
        return folded

    def _loss(self) -> float:
        counted = self.labels >= 0
        share = (self.is_positive & counted).sum() / max(1, counted.sum())
        return (self._costs() * np.where(self.is_positive, 1 - share, share)).sum(dtype=np.float64)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        super().backward(top, propagate_down, bottom)
        if propagate_down[0]:
            x_diff = bottom[0].diff.reshape(self.view)
            share = np.cumsum(self.is_positive.mean(axis=1)) / np.arange(1, len(self.is_positive) + 1)
            share = share.astype(x_diff.dtype)[:, None]
            x_diff *= np.where(self.is_positive, 1 - share, share)[:, None]
