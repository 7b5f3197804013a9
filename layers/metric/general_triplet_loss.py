"""GeneralTripletLoss: distances to the centres of classes, compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_one_label_each, class_labels, loss_weight
from caffe_compat.layers.registry import register


@register("GeneralTripletLoss")
class GeneralTripletLoss(LossLayer):
    """Nearer to the centre of one's own class than to all others, by a margin (general_triplet_loss_param).

    bottom[0]: the distance of each of N examples to each class, N x classes; bottom[1]: N whole labels. top[0]: the sum
    of negative_weight times what the own distance plus margin is above another, over N; with hardest_only of the
    nearest other class alone. top[1], if wanted, 2 numbers without a gradient: the means of the own and the other
    distances. The gradient is not the slope: positive_weight at the own class of each example that has another one so
    near, or of all with add_center_loss (which is the default, and adds nothing to the loss), however many these are.
    Raises LayerError for a label that is no class, and for other counts.
    Source: GeneralTripletLossLayer of happynear's Caffe; Wang et al., NormFace (2017).
    """

    reads = ("general_triplet_loss_param",)
    origin = "happynear"
    top_count = (1, 2)
    refused = {
        f"general_triplet_loss_param.{name}": "it is not built; a Python layer can compute it"
        for name in ("positive_first", "positive_upper_bound")
    }

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = check_one_label_each(self, bottom)
        for blob in top[1:]:
            blob.reshape(2)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, (count, classes) = self.layer_param.general_triplet_loss_param, self.view
        distances = bottom[0].data.reshape(self.view)
        self.own = np.arange(count), class_labels(self, bottom[1], classes)
        own = distances[self.own]
        near = np.maximum(own[:, None] + self.dtype(param.margin) - distances, 0)
        near[self.own] = 0
        if param.hardest_only:
            nearest = near == near.max(axis=1, keepdims=True)
            near[~nearest | (nearest.cumsum(axis=1) > 1)] = 0
        self.counts = near > 0
        top[0].data[...] = near.sum() * abs(param.negative_weight) / count
        for blob in top[1:]:
            others = distances.sum() - own.sum()
            blob.data[...] = own.sum() / count, others / count / max(classes - 1, 1)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            param = self.layer_param.general_triplet_loss_param
            slopes = self.counts * -self.dtype(param.negative_weight)
            is_drawn = self.counts.any(axis=1) | param.add_center_loss
            slopes[self.own] = is_drawn * self.dtype(param.positive_weight)
            slopes *= self.dtype(loss_weight(top) / self.view[0])
            bottom[0].diff[...] = slopes.reshape(bottom[0].shape)
