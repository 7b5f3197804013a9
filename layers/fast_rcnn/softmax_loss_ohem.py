"""SoftmaxWithLossOHEM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import NO_CLASS_WEIGHTS
from caffe_compat.layers.registry import register
from caffe_compat.layers.softmax_loss import LEAST_PROBABILITY, SoftmaxWithLoss


@register("SoftmaxWithLossOHEM")
class SoftmaxWithLossOHEM(SoftmaxWithLoss):
    """SoftmaxWithLoss with one more top: top[2] is what each label costs, 0 where it is ignored.

    top[2] has the shape of bottom[1], and is not divided; no gradient is taken from it.
    Source: SoftmaxWithLossOHEMLayer of R-FCN's fork of Caffe.
    """

    top_count = (1, 3)
    refused = NO_CLASS_WEIGHTS
    origin = "R-FCN"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if len(top) > 2:
            top[2].reshape(*bottom[1].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().forward(bottom, top)
        if len(top) > 2:
            rows = np.maximum(self.labels, 0)[:, None]
            chances = np.take_along_axis(self.prob.data, rows, axis=1)[:, 0]
            losses = -np.log(np.maximum(chances, LEAST_PROBABILITY))
            top[2].data[...] = np.where(self.labels >= 0, losses, 0).reshape(top[2].shape)
