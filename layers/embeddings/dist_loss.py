"""DistLoss: pixels of one class are to be near each other, others far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_equal_counts
from caffe_compat.layers.registry import register


@register("DistLoss")
class DistLoss(LossLayer):
    """How far distances are beyond alpha for pairs of one class, and below beta for others (dist_loss_param).

    bottom[0]: distances, any shape, as Im2dist has them; bottom[1]: as many numbers, as Im2parity has them: 0 for two
    classes, ignore_label for a pair that does not count, else one class. top[0]: the mean of max(distance - alpha, 0)
    and max(beta - distance, 0), over all numbers. As the original's, the gradient is these themselves, with their sign,
    over all numbers, whatever the loss weight. Raises LayerError unless 0 < alpha < beta, and for other counts.
    Source: DistLossLayer of segaware's Caffe; Harley et al., Segmentation-Aware Networks (2017), equation 2.
    """

    reads = ("dist_loss_param",)
    origin = "segaware"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.dist_loss_param
        if not 0 < param.alpha < param.beta:
            raise self.error(f"alpha is {param.alpha:g}, beta {param.beta:g}; expected 0 < alpha < beta")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_equal_counts(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, distance = self.layer_param.dist_loss_param, bottom[0].data.reshape(-1)
        with np.errstate(invalid="ignore"):
            parity = bottom[1].data.reshape(-1).astype(np.int64)
        alpha, beta = np.float32(param.alpha), np.float32(param.beta)
        self.off = np.where(parity != 0, np.maximum(distance - alpha, 0), -np.maximum(beta - distance, 0))
        if param.HasField("ignore_label"):
            self.off[parity == param.ignore_label] = 0
        top[0].data[...] = np.abs(self.off).sum(dtype=np.float64) / self.off.size

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = (self.off / self.off.dtype.type(self.off.size)).reshape(bottom[0].shape)
