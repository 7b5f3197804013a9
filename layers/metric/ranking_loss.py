"""RankingLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_one_label_each, class_labels, loss_weight
from caffe_compat.layers.registry import register


@register("RankingLoss")
class RankingLoss(LossLayer):
    """The hinge rank loss: the mean over examples of the sum over other classes of max(0, margin - s + t), s being the
    score of the label's class and t another one's.

    bottom[0]: N x C scores (axes behind are 1); bottom[1]: N labels; top[0]: a scalar. With ranking_loss_param.trunc
    only the first class counts whose score violates the margin; so on the original's CPU, whose GPU leaves it out of
    the loss, not of the gradient. Raises LayerError for labels out of range and other shapes.
    Source: RankingLossLayer of Qi-Xian's DeViSE; Frome et al., DeViSE (2013), section 4.2.
    """

    reads = ("ranking_loss_param",)
    origin = "Qi-Xian"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = check_one_label_each(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, scores = self.layer_param.ranking_loss_param, bottom[0].data.reshape(self.view)
        self.at = np.arange(len(scores)), class_labels(self, bottom[1], self.view[1]).ravel()
        costs = np.maximum(scores - scores[self.at][:, None] + self.dtype(param.margin), 0)
        costs[self.at] = 0
        if param.trunc:
            costs[np.cumsum(costs > 0, axis=1) > 1] = 0
        self.violated = costs > 0
        top[0].data[...] = costs.sum() / len(scores)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            slopes = self.violated.astype(self.dtype)
            slopes[self.at] = -slopes.sum(axis=1)
            scale = self.dtype(loss_weight(top) / len(slopes))
            np.multiply(slopes, scale, out=bottom[0].diff.reshape(self.view))
