"""Sparsify."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register


@register("Sparsify")
class Sparsify(InPlaceLayer):
    """Draws numbers to 0 by sparsify_param.thre: x - thre, x + thre or 0, whichever is nearest to 0; any shape.

    Backward adds coef times the sign of the top to the gradient (as if coef times the sum of absolute values were part
    of the loss), and stops it where the top is 0, if thre is not 0. Raises LayerError for numbers below 0.
    Source: SparsifyLayer of wenwei202's and AlfredXiangWu's Caffes.
    """

    reads = ("sparsify_param",)
    origin = "wenwei202"
    backward_reads_top = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.sparsify_param
        if not (param.coef >= 0 and param.thre >= 0):
            raise self.error(f"coef is {param.coef:g}, thre {param.thre:g}; expected 0 or more")
        self.coef, self.threshold = map(bottom[0].dtype.type, (param.coef, param.thre))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].data
        np.subtract(x, np.clip(x, -self.threshold, self.threshold), out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            y = top[0].data
            slope = top[0].diff + self.coef * np.sign(y)
            bottom[0].diff[...] = np.where(y != 0, slope, 0) if self.threshold else slope
