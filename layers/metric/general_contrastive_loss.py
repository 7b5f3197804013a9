"""GeneralContrastiveLoss: distances to the centres of classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_one_label_each, class_labels, loss_weight
from caffe_compat.layers.registry import register

NOT_BUILT = (
    "normalize_negative",
    "square",
    "max_negative_only",
    "max_positive_only",
    "positive_first",
    "positive_upper_bound",
    "add_intra_mae",
    "max_negative_margin",
)


@register("GeneralContrastiveLoss")
class GeneralContrastiveLoss(LossLayer):
    """Near to the centre of one's own class, away from all others (general_contrastive_loss_param).

    bottom[0]: the distance of each of N examples to each class, N x classes; bottom[1]: N whole labels. top[0]: the sum
    over all, over N: of the own class positive_weight times the distance beyond positive_margin, at most
    positive_outlier_thresh, from which on there is no gradient; of another negative_weight times what is missing of
    negative_margin, or with exp_negative_weight times exp(-distance) where something is. top[1], if wanted, 2 numbers
    without a gradient: the means of the former and of what is missing, without weights. Weights count with their
    absolute value in the loss. Raises LayerError for a label that is no class, and for other counts.
    Source: GeneralContrastiveLossLayer of happynear's Caffe; Wang et al., NormFace (2017).
    """

    reads = ("general_contrastive_loss_param",)
    origin = "happynear"
    top_count = (1, 2)
    refused = {
        f"general_contrastive_loss_param.{name}": "it is not built; a Python layer can compute it"
        for name in NOT_BUILT
    }

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = check_one_label_each(self, bottom)
        for blob in top[1:]:
            blob.reshape(2)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, (count, classes) = self.layer_param.general_contrastive_loss_param, self.view
        distances = bottom[0].data.reshape(self.view)
        self.own = np.zeros(self.view, bool)
        self.own[np.arange(count), class_labels(self, bottom[1], classes)] = True
        beyond = np.clip(distances - param.positive_margin, 0, param.positive_outlier_thresh)
        missing = np.maximum(param.negative_margin - distances, 0)
        others = missing
        if param.exp_negative_weight:
            others = np.where(distances < param.negative_margin, np.exp(-distances), 0)
        weighted = np.where(self.own, beyond * param.positive_weight, others * param.negative_weight)
        top[0].data[...] = np.abs(weighted).sum() / count
        for blob in top[1:]:
            near, far = beyond[self.own].sum() / count, missing[~self.own].sum() / count
            blob.data[...] = near, far / max(classes - 1, 1)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        param, distances = self.layer_param.general_contrastive_loss_param, bottom[0].data.reshape(self.view)
        counts = (distances > param.positive_margin) & (distances < param.positive_outlier_thresh)
        slopes = np.exp(-distances) if param.exp_negative_weight else np.ones_like(distances)
        others = np.where(distances < param.negative_margin, -param.negative_weight * slopes, 0)
        weighted = np.where(self.own, counts * param.positive_weight, others)
        bottom[0].diff[...] = (weighted * (loss_weight(top) / self.view[0])).reshape(bottom[0].shape)
