"""NegReLU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("NegReLU")
class NegReLU(Layer):
    """min(x, 0), and relu_param.negative_slope times x above 0. bottom and top: any shape.

    Source: NegReLULayer of lmb-freiburg/flownet2.
    """

    reads = ("relu_param",)
    without_effect = ("relu_param.engine",)
    origin = "FlowNet2"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.multiply(bottom[0].data, self._slopes(bottom[0].data), out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(top[0].diff, self._slopes(bottom[0].data), out=bottom[0].diff)

    def _slopes(self, x: np.ndarray) -> np.ndarray:
        return np.where(x >= 0, x.dtype.type(self.layer_param.relu_param.negative_slope), x.dtype.type(1))
