"""One axis of a blob from its end to its begin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.registry import register


@register("Reverse")
class Reverse(Layer):
    """The bottom with the axis reverse_param.axis in reverse order: the steps of a sequence for a way back.

    bottom and top: any shape. Raises LayerError for an axis out of range.
    Source: ReverseLayer of CTPN's fork of Caffe (tianzhi0549/CTPN).
    """

    reads = ("reverse_param",)
    origin = "CTPN"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.axis = canonical_axis(self, self.layer_param.reverse_param.axis, bottom[0])
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.copyto(top[0].data, np.flip(bottom[0].data, self.axis))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.copyto(bottom[0].diff, np.flip(top[0].diff, self.axis))
