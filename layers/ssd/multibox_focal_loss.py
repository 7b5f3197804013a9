"""SSD's loss with the focal loss of scores."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.registry import register
from caffe_compat.layers.softmax_loss import LEAST_PROBABILITY
from caffe_compat.layers.ssd.multibox_loss import MultiBoxLoss


@register("MultiBoxFocalLoss")
class MultiBoxFocalLoss(MultiBoxLoss):
    """MultiBoxLoss, but the loss of scores is -alpha (1 - p)^gamma log p, p the probability of the right class.

    alpha and gamma are those of focal_loss_param. conf_loss_type LOGISTIC, and which priors are the hardest, stay as
    in MultiBoxLoss. Bottoms, top and errors are those of MultiBoxLoss.
    Source: jiachen0212's fork of Caffe; Lin et al., Focal Loss for Dense Object Detection (2017), equation 5.
    """

    refused = {
        **MultiBoxLoss.refused,
        "multibox_loss_param.use_polygon": "only MultiBoxLoss has polygons: write that, or remove it",
    }
    reads = ("loss_param", "multibox_loss_param", "focal_loss_param")
    origin = "jiachen0212"
    without_effect = (
        *MultiBoxLoss.without_effect,
        "focal_loss_param.axis",
        "focal_loss_param.type",
        "focal_loss_param.beta",
    )

    def loss_of_scores(self, scores: np.ndarray, cost: np.ndarray) -> np.ndarray:
        cost = super().loss_of_scores(scores, cost)
        if self.logistic:
            return cost
        param = self.layer_param.focal_loss_param
        alpha, gamma = np.float32(param.alpha), np.float32(param.gamma)
        right = (self.prob.data.reshape(self.target.shape) * self.target).sum(axis=2)
        wrong, logarithm = 1 - right, np.log(np.maximum(right, LEAST_PROBABILITY))
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = alpha * wrong ** (gamma - 1) * (wrong - gamma * right * logarithm)
        self.slope = np.where(wrong > 0, slope, 0)
        return -alpha * wrong**gamma * logarithm
