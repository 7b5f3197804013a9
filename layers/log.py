"""Logarithms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.common.logexp import log_of_base
from caffe_compat.layers.kernels import neuron as kernels
from caffe_compat.layers.registry import register


@register("Log")
class Log(InPlaceLayer):
    """The logarithm of shift + scale * x to log_param's base (-1: e); any shape.

    Raises LayerError for a base that is not positive, or is 1.
    Source: Caffe's LogLayer, whose gradient in place is wrong; here it is right.
    """

    reads = ("log_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.log_param
        log_base = log_of_base(self, param.base)
        if log_base == 0:
            raise self.error("base is 1; there is no logarithm to it")
        self.unit, self.scale, self.shift = map(
            bottom[0].dtype.type, (1 / log_base, param.scale, param.shift)
        )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = self.keep_input(bottom, top), top[0].data
        if self.scale != 1 or self.shift != 0:
            np.multiply(x, self.scale, out=y)
            y += self.shift
            x = y
        np.log(x, out=y)
        if self.unit != 1:
            y *= self.unit

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x = self.kept_input(bottom, top).reshape(-1)
            factor = self.unit * self.scale
            y_diff, x_diff = top[0].diff.reshape(-1), bottom[0].diff.reshape(-1)
            kernels.log_backward(x, y_diff, self.scale, self.shift, factor, x_diff)
