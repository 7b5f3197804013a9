"""ContrastiveLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.registry import register


@register("ContrastiveLoss")
class ContrastiveLoss(LossLayer):
    """Half the mean over pairs of d^2 where they are similar, of max(0, margin - d)^2 where they are not.

    bottom[0], bottom[1]: the pairs, each N x C (axes behind are 1); d is their distance. bottom[2]: N numbers,
    0 where a pair is not similar. top[0]: a scalar. With contrastive_loss_param.legacy_version pairs that are
    not similar cost max(0, margin - d^2). The gradient divides by d + 1e-4 instead of d, which may be 0. With four
    bottoms it is happynear's: bottom[2] and bottom[3] are N classes each, a pair of one class is similar, and others
    cost as with legacy_version. Raises LayerError for shapes that do not fit.
    Source: Caffe's ContrastiveLossLayer, and happynear's; Hadsell, Chopra and LeCun (2006).
    """

    reads = ("contrastive_loss_param",)
    bottom_count = (3, 4)
    no_gradient = (2, 3)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shapes = [blob.shape for blob in bottom]
        n, c = bottom[0].num, bottom[0].channels
        counts = [n * c, n * c, *[n] * (len(bottom) - 2)]
        if [blob.count for blob in bottom] != counts or bottom[1].channels != c:
            raise self.error(f"the bottoms have the shapes {shapes}; expected N x C, N x C and N")
        if not hasattr(self, "difference"):
            self.difference = Blob((), bottom[0].dtype)
        self.difference.reshape(n, c)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, difference = self.layer_param.contrastive_loss_param, self.difference.data
        a, b = (blob.data.reshape(difference.shape) for blob in bottom[:2])
        np.subtract(a, b, out=difference)
        square = np.einsum("ij,ij->i", difference, difference)
        labels = [blob.data.reshape(-1).astype(np.int64) for blob in bottom[2:]]
        similar = labels[0] != 0 if len(labels) == 1 else labels[0] == labels[1]
        if param.legacy_version or len(labels) == 2:
            gap = np.maximum(param.margin - square, 0)
            cost, slope = gap, gap > 0
        else:
            distance = np.sqrt(square)
            gap = np.maximum(param.margin - distance, 0)
            cost, slope = gap * gap, gap / (distance + 1e-4)
        top[0].data[...] = np.where(similar, square, cost).sum() / (2 * len(square))
        self.slope = np.where(similar, difference.dtype.type(1), -slope.astype(difference.dtype))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for index, sign in enumerate((1, -1)):
            if propagate_down[index]:
                scale = self.slope * self.slope.dtype.type(sign * loss_weight(top) / len(self.slope))
                diff = bottom[index].diff.reshape(self.difference.shape)
                np.multiply(self.difference.data, scale[:, None], out=diff)
