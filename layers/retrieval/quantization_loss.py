"""QuantizationLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.registry import register


@register("QuantizationLoss")
class QuantizationLoss(LossLayer):
    """The mean of log cosh(|x| - 1): how far codes are from 1 and -1.

    bottom[0]: N x ...; top[0]: a scalar. The gradient is tanh(|x| - 1) with the
    sign of x (of 0: plus), times the layer's loss_weight, over N and not over the number of elements, as there.
    quantization_param's threshold, above which |x| - 1 - log 2 stands for the logarithm, changes nothing that a float
    could show. Source: QuantizationLossLayer of thuml/DPH, a GPU's; Zhu et al., Deep Hashing Network (2016).
    """

    reads = ()
    origin = "DPH"
    bottom_count = (1, 1)
    no_gradient = ()

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not bottom[0].shape or not bottom[0].count:
            raise self.error(f"bottom[0] has the shape {bottom[0].shape}: there is nothing to take a loss of")
        top[0].reshape()

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        beyond = np.abs(bottom[0].data) - 1
        costs = np.logaddexp(beyond, -beyond) - beyond.dtype.type(np.log(2))
        top[0].data[...] = costs.sum() / costs.size

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x = bottom[0].data
            scale = x.dtype.type(loss_weight(top) / len(x))
            bottom[0].diff[...] = np.where(x >= 0, scale, -scale) * np.tanh(np.abs(x) - 1)
