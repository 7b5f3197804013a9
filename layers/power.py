"""Shift, scale and raise to a power."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register


@register("Power")
class Power(InPlaceLayer):
    """(power_param.shift + scale * x) ** power; any shape.

    Where power or scale is 0 the input does not count (even NaN) and its gradient is 0.
    Source: Caffe's PowerLayer.
    """

    reads = ("power_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.power_param
        self.power, self.scale, self.shift = map(
            bottom[0].dtype.type, (param.power, param.scale, param.shift)
        )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = top[0].data
        if self.power == 0 or self.scale == 0:
            y.fill(np.power(self.shift, self.power))
            return
        x = bottom[0].data if self.power == 1 else self.keep_input(bottom, top)
        np.multiply(x, self.scale, out=y)
        y += self.shift
        if self.power != 1:
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
            base = self.shift + self.scale * self.kept_input(bottom, top)
            x_diff *= np.power(base, self.power - 1)
