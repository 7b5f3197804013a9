"""HardSigmoid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register


@register("HardSigmoid")
class HardSigmoid(InPlaceLayer):
    """hard_sigmoid_param.alpha x + beta, at least 0 and at most 1; any shape.

    Source: HardSigmoidLayer of Synopsys' Caffe, which has no backward pass.
    """

    reads = ("hard_sigmoid_param",)
    origin = "Synopsys"

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.clip(self._line(self.keep_input(bottom, top)), 0, 1, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            line = self._line(self.kept_input(bottom, top))
            slope = self.dtype(self.layer_param.hard_sigmoid_param.alpha)
            np.multiply(top[0].diff, slope * ((line > 0) & (line <= 1)), out=bottom[0].diff)

    def _line(self, x: np.ndarray) -> np.ndarray:
        param = self.layer_param.hard_sigmoid_param
        return self.dtype(param.alpha) * x + self.dtype(param.beta)
