"""NSSLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.common.maps import check_maps
from caffe_compat.layers.registry import register


@register("NSSLoss")
class NSSLoss(LossLayer):
    """Minus the normalised scanpath saliency: the mean of a saliency map where eyes rested, averaged over the images.

    bottom[0]: N x 1 x H x W, saliency, which an MVN layer has normalised; bottom[1]: the same, how much eyes rested at
    each pixel. The loss is -1 / N times the sum of saliency times fixations, of an image over the sum of its absolute
    fixations. Raises LayerError for other shapes, and an image without a fixation.
    Source: NSSLossLayer of nian-liu/DSCLRCN.
    """

    reads = ()
    origin = "DSCLRCN"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_maps(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        fixations = bottom[1].data.reshape(bottom[1].num, -1)
        total = np.abs(fixations).sum(axis=1, dtype=np.float64, keepdims=True)
        if not total.all():
            raise self.error(f"image {int(total.argmin())} has no fixation: all of its map in bottom[1] is 0")
        self.slope = (fixations / (-total * len(fixations))).reshape(bottom[0].shape)
        top[0].data[...] = (bottom[0].data * self.slope).sum()

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = loss_weight(top) * self.slope
