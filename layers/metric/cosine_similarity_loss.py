"""CosineSimilarityLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_equal_counts, loss_weight
from caffe_compat.layers.registry import register


@register("CosineSimilarityLoss")
class CosineSimilarityLoss(LossLayer):
    """1 less the mean of the products of bottom[0]'s rows with bottom[1]'s: their cosines where all have the length 1.

    Both take a gradient. Raises LayerError for other counts. Source: CosineSimilarityLossLayer of ARL (ZhiwenShao).
    """

    reads = ()
    origin = "ZhiwenShao"
    no_gradient = ()

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_equal_counts(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = 1 - np.vdot(bottom[0].data, bottom[1].data) / bottom[0].num

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        scale = bottom[0].dtype.type(-loss_weight(top) / bottom[0].num)
        for index, other in enumerate((1, 0)):
            if propagate_down[index]:
                bottom[index].diff[...] = (bottom[other].data * scale).reshape(bottom[index].shape)
