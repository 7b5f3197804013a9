"""Swish."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.common.logexp import exp_of_negative
from caffe_compat.layers.kernels import neuron as kernels
from caffe_compat.layers.kernels.scratch import scratch
from caffe_compat.layers.registry import register


@register("Swish")
class Swish(InPlaceLayer):
    """x / (1 + exp(-swish_param.beta * x)); any shape.

    Source: SwishLayer of BVLC's Caffe; Ramachandran, Zoph and Le (2017).
    """

    reads = ("swish_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.beta = bottom[0].dtype.type(self.layer_param.swish_param.beta)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = self.keep_input(bottom, top).reshape(-1), top[0].data.reshape(-1)
        np.multiply(x, self.beta, out=y)
        exp_of_negative(y, y)
        kernels.swish(x, y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x = self.kept_input(bottom, top).reshape(-1)
            power = scratch(x.shape, x.dtype)
            np.multiply(x, self.beta, out=power)
            exp_of_negative(power, power)
            y_diff, x_diff = top[0].diff.reshape(-1), bottom[0].diff.reshape(-1)
            kernels.swish_backward(x, power, y_diff, self.beta, x_diff)
