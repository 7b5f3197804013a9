"""LabelWeightedSoftmaxWithLoss: a SoftmaxWithLoss whose labels have weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import NO_CLASS_WEIGHTS, NO_LABEL_WEIGHTS
from caffe_compat.layers.registry import register_form
from caffe_compat.layers.softmax_loss import SoftmaxWithLoss
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def has_weights(layer_param: LayerParameter) -> bool:
    """Whether a layer of type SoftmaxWithLoss has a third bottom."""
    return len(layer_param.bottom) == 3


@register_form("LabelWeightedSoftmaxWithLoss", of="SoftmaxWithLoss", describes=has_weights)
class LabelWeightedSoftmaxWithLoss(SoftmaxWithLoss):
    """SoftmaxWithLoss in which each label's cost is multiplied by its number in bottom[2].

    A layer of type SoftmaxWithLoss with three bottoms is this one. bottom[2] has as many numbers as there are labels,
    and takes no gradient; what the loss is divided by counts labels, not weights. top[1], if wanted: the probabilities.
    Raises LayerError as SoftmaxWithLoss does, and for another number of weights.
    Source: SoftmaxWithLossLayer of JAANet (ZhiwenShao); AR-Ped's nets have it too.
    """

    reads = ("loss_param", "softmax_param")
    origin = "ZhiwenShao"
    bottom_count = (3, 3)
    top_count = (1, 2)
    no_gradient = (1, 2)
    refused = NO_CLASS_WEIGHTS | NO_LABEL_WEIGHTS

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if bottom[2].count != bottom[1].count:
            raise self.error(
                f"bottom[2] has the shape {bottom[2].shape}, the labels {bottom[1].shape}: expected a weight a label"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.label_weights = bottom[2].data.reshape(self.view[0], self.view[2])
        super().forward(bottom, top)

    def _loss(self) -> float:
        return (self._costs() * self.label_weights).sum(dtype=np.float64)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        super().backward(top, propagate_down, bottom)
        if propagate_down[0]:
            bottom[0].diff.reshape(self.view)[...] *= self.label_weights[:, None]
