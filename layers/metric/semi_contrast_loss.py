"""SemiContrastLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.common.repetitions import check_pairs
from caffe_compat.layers.registry import register


@register("SemiContrastLoss")
class SemiContrastLoss(LossLayer):
    """A contrastive loss of all pairs of an image and a text: the sum over 2 N of d^2 where their labels are equal,
    and of max(0, margin - d)^2 where they are not, d being their distance.

    bottom[0]: images, bottom[1]: texts, N x C (axes behind are 1); bottom[2]: N labels. top[0]: a scalar.
    semicontrast_loss_param.feature_index, 0 or 1, has to be given: with 0 the texts get a gradient of 0. The gradient
    is twice that of the loss, and adds 1e-4 to the distance that it divides by, as there.
    Raises LayerError for shapes that differ and for another feature_index.
    Source: SemiContrastLossLayer of CCL (PKU-ICST-MIPL); Peng et al., CCL (2018).
    """

    reads = ("semicontrast_loss_param",)
    origin = "PKU-ICST-MIPL"
    bottom_count = (3, 3)
    no_gradient = (2,)
    without_effect = (
        "semicontrast_loss_param.knn_k",
        "semicontrast_loss_param.lambda",
        "semicontrast_loss_param.legacy_version",
    )

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.semicontrast_loss_param
        if self.param.feature_index not in (0, 1):
            raise self.error(
                f"feature_index is {self.param.feature_index}; give 0 (images learn) or 1 (texts, too)"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = bottom[0].num, bottom[0].count // bottom[0].num
        if bottom[1].count != bottom[0].count or bottom[2].count != bottom[0].num:
            raise self.error(
                f"the bottoms have the shapes {[blob.shape for blob in bottom]}; expected N x C twice, and N labels"
            )
        check_pairs(self, self.view[0], "examples", bytes_each=16 + 4 * self.view[1])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        images, texts = (blob.data.reshape(self.view) for blob in bottom[:2])
        labels = bottom[2].data.ravel()
        self.gaps = images[:, None] - texts
        squares = np.einsum("ijc,ijc->ij", self.gaps, self.gaps)
        self.equal, self.distances = labels[:, None] == labels, np.sqrt(squares)
        self.missing = np.maximum(self.dtype(self.param.margin) - self.distances, 0)
        costs = np.where(self.equal, squares, np.square(self.missing))
        top[0].data[...] = costs.sum() / len(images) / 2

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        slopes = np.where(self.equal, 1, -self.missing / (self.distances + self.dtype(1e-4)))
        slopes = slopes * self.dtype(2 * loss_weight(top) / len(slopes))
        if propagate_down[0]:
            np.einsum("ij,ijc->ic", slopes, self.gaps, out=bottom[0].diff.reshape(self.view))
        if propagate_down[1]:
            sign = -self.param.feature_index
            np.einsum("ij,ijc->jc", sign * slopes, self.gaps, out=bottom[1].diff.reshape(self.view))
