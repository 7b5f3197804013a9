"""EuclideanLoss2: over the distance of the eyes."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.euclidean_loss import EuclideanLoss
from caffe_compat.layers.registry import register


@register("EuclideanLoss2")
class EuclideanLoss2(EuclideanLoss):
    """EuclideanLoss, and its gradient, divided by the first number of bottom[2], whatever the batch.

    bottom[2] takes no gradient. Raises LayerError where it is empty, or begins with 0.
    Source: EuclideanLoss2Layer of JAANet and ARL (ZhiwenShao): the distance of the eyes of the first face.
    """

    reads = ()
    origin = "ZhiwenShao"
    bottom_count = (3, 3)
    no_gradient = (2,)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().forward(bottom, top)
        top[0].data[...] /= self._distance(bottom)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        super().backward(top, propagate_down, bottom)
        for blob, wanted in zip(bottom[:2], propagate_down, strict=False):
            if wanted:
                blob.diff[...] /= self._distance(bottom)

    def _distance(self, bottom: Sequence[Blob]) -> float:
        distance = bottom[2].data.ravel()[:1]
        if not distance.size or distance[0] == 0:
            raise self.error(f"bottom[2] {bottom[2].shape} has to begin with a number that is not 0")
        return distance[0]
