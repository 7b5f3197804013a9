"""NegSquare."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register


@register("NegSquare")
class NegSquare(InPlaceLayer):
    """-x * x; any shape. Source: NegSquareLayer of LiteFlowNet (twhui), whose gradient leaves x out."""

    reads = ()
    origin = "LiteFlowNet"

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = self.keep_input(bottom, top)
        np.multiply(x, -x, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(top[0].diff, -2 * self.kept_input(bottom, top), out=bottom[0].diff)
