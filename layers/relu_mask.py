"""ReLUMask."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.registry import register
from caffe_compat.layers.relu import ReLU


@register("ReLUMask")
class ReLUMask(ReLU):
    """ReLU, whose top[1], where it is wanted, is 1 where x is above 0, and else 0. No gradient comes from there.

    Source: ReLUMaskLayer of Niu Chuang's Caffe.
    """

    origin = "Niu Chuang's"
    top_count = (1, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        for blob in top[1:]:
            blob.reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob in top[1:]:
            blob.data[...] = bottom[0].data > 0
        super().forward(bottom, top)
