"""Quant."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register

FORWARD, BACKWARD = ("sign", "hard_tanh", "hwgq", "relu"), ("hard_tanh", "relu")


@register("Quant")
class Quant(Layer):
    """Few values for many, with the gradient of another function. bottom and top: any shape.

    forward_func sign: 1 for x >= 0, else -1; hard_tanh: x, from -1 to 1; hwgq: the nearest of the `centers` for x > 0
    (of two as near the lower one), else -negative_slope; relu: ReLU's. backward_func hard_tanh: 1 from -clip_thr to
    clip_thr; relu: ReLU's up to clip_thr; else 0; a clip_thr of 0 or less is none. Raises LayerError for other
    functions, and for centers that are not above 0 and in their order.
    Source: QuantLayer of zhaoweicai/hwgq; Cai et al., Half-wave Gaussian Quantization (2017).
    """

    reads = ("quant_param",)
    origin = "HWGQ-Net"
    without_effect = ("quant_param.thrs",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.quant_param
        if param.forward_func not in FORWARD or param.backward_func not in BACKWARD:
            raise self.error(
                f"forward_func is '{param.forward_func}' and backward_func '{param.backward_func}'; expected one of "
                f"{', '.join(FORWARD)}, and one of {', '.join(BACKWARD)}"
            )
        self.centers = np.array(param.centers, self.dtype)
        ordered = all(a < b for a, b in itertools.pairwise([0, *self.centers]))
        if param.forward_func == "hwgq" and (not self.centers.size or not ordered):
            raise self.error(
                f"centers are {list(param.centers)}; give some above 0, from the least to the greatest"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, slope = bottom[0].data, self.dtype(self.param.negative_slope)
        if self.param.forward_func == "sign":
            top[0].data[...] = np.where(x >= 0, 1, -1)
        elif self.param.forward_func == "hard_tanh":
            np.clip(x, -1, 1, out=top[0].data)
        elif self.param.forward_func == "hwgq":
            between = (self.centers[:-1] + self.centers[1:]) / 2
            top[0].data[...] = np.where(x > 0, self.centers[np.searchsorted(between, x)], -slope)
        else:
            top[0].data[...] = np.maximum(x, 0) + slope * np.minimum(x, 0)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x, limit = bottom[0].data, self.param.clip_thr if self.param.clip_thr > 0 else np.inf
        if self.param.backward_func == "hard_tanh":
            slopes = (np.abs(x) <= limit).astype(x.dtype)
        else:
            slopes = np.where(x > 0, x.dtype.type(1), self.dtype(self.param.negative_slope)) * (x <= limit)
        np.multiply(top[0].diff, slopes, out=bottom[0].diff)
