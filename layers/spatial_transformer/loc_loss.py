"""LocLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import loss_weight
from caffe_compat.layers.registry import register
from caffe_compat.layers.spatial_transformer.beyond_loss import BeyondLoss, beyond


@register("LocLoss")
class LocLoss(BeyondLoss):
    """Keeps numbers from -threshold to threshold (loc_loss_param): half the squares of what is beyond, averaged.

    bottom: any shape. Raises LayerError for a threshold that is not above 0.

    Source: LocLossLayer of daerduoCarey's Caffe, its GPU kernel, which leaves the gradient of numbers within the
    bounds as it was; here it is 0. There is none for the CPU.
    """

    reads = ("loc_loss_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.bound = self.layer_param.loc_loss_param.threshold
        if not self.bound > 0:
            raise self.error(f"threshold is {self.bound:g}; it must be above 0")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = (beyond(bottom[0].data, self.bound) ** 2 / 2).mean(dtype=np.float64)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = self.dtype(loss_weight(top) / bottom[0].count)
            np.multiply(beyond(bottom[0].data, self.bound), scale, out=bottom[0].diff)
