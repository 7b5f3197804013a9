"""TripletLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.registry import register


@register("TripletLoss")
class TripletLoss(LossLayer):
    """Half the mean of max(0, margin + |a - p|^2 - |a - n|^2) over triplets.

    bottom[0], bottom[1], bottom[2]: anchors a, positives p, negatives n, each N x C (axes behind are 1). bottom[3], if
    there is one: what each triplet weighs, N numbers, which take no gradient. top[0]: a scalar. Raises LayerError for
    shapes that differ.
    Source: TripletLossLayer of happynear's Caffe; the weights are xuqiantong's. Schroff et al., FaceNet (2015).
    """

    reads = ("triplet_loss_param",)
    origin = "happynear"
    bottom_count = (3, 4)
    no_gradient = (3,)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shapes = [blob.shape for blob in bottom[:3]]
        self.view = bottom[0].num, bottom[0].count // max(bottom[0].num, 1)
        if len(set(shapes)) > 1:
            raise self.error(f"the bottoms have the shapes {shapes}; expected three of one shape, N x C")
        if bottom[-1].count != bottom[0].num and len(bottom) > 3:
            raise self.error(f"bottom[3] has the shape {bottom[3].shape}; expected {bottom[0].num} weights")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        a, p, n = (blob.data.reshape(self.view) for blob in bottom[:3])
        weights = bottom[3].data.ravel() if len(bottom) > 3 else a.dtype.type(1)
        near, far = a - p, a - n
        gaps = np.einsum("nc,nc->n", near, near) - np.einsum("nc,nc->n", far, far)
        gaps = np.maximum(gaps + a.dtype.type(self.layer_param.triplet_loss_param.margin), 0)
        top[0].data[...] = (gaps * weights).sum() / len(gaps) / 2
        counts = ((gaps >= 1e-9) * weights)[:, None]
        self.slopes = (n - p) * counts, -near * counts, far * counts

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, slope, wanted in zip(bottom, self.slopes, propagate_down, strict=False):
            if wanted:
                scale = slope.dtype.type(loss_weight(top) / len(slope))
                np.multiply(slope, scale, out=blob.diff.reshape(self.view))
