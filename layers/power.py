"""Shift, scale and raise to a power."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Power")
class Power(Layer):
    """(power_param.shift + scale * x) ** power; any shape.

    Where power or scale is 0 the input does not count (even NaN) and its gradient is 0.
    Source: Caffe's PowerLayer.
    """

    in_place = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.power_param
        self.power, self.scale, self.shift = map(
            bottom[0].dtype.type, (param.power, param.scale, param.shift)
        )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = top[0].data
        if self.power == 0 or self.scale == 0:
            y.fill(np.power(self.shift, self.power))
            return
        np.multiply(bottom[0].data, self.scale, out=y)
        y += self.shift
        if self.power != 1:
            # in place the input is lost, and backward wants it
            self.base = y.copy() if top[0] is bottom[0] else None
            np.power(y, self.power, out=y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x_diff = bottom[0].diff
        if self.power == 0 or self.scale == 0:
            x_diff.fill(0)
            return
        np.multiply(top[0].diff, self.power * self.scale, out=x_diff)
        if self.power != 1:
            base = self.shift + self.scale * bottom[0].data if self.base is None else self.base
            x_diff *= np.power(base, self.power - 1)
