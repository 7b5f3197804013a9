"""SoftmaxWithLossOHEM."""

from __future__ import annotations

from caffe_compat.layers.common.loss import NO_CLASS_WEIGHTS, NO_LABEL_WEIGHTS
from caffe_compat.layers.registry import register
from caffe_compat.layers.softmax_loss import SoftmaxWithLoss


@register("SoftmaxWithLossOHEM")
class SoftmaxWithLossOHEM(SoftmaxWithLoss):
    """SoftmaxWithLoss, whose third top is what each label costs, by the name that R-FCN gave it.

    Source: SoftmaxWithLossOHEMLayer of R-FCN's fork of Caffe.
    """

    refused = NO_CLASS_WEIGHTS | NO_LABEL_WEIGHTS
    origin = "R-FCN"
