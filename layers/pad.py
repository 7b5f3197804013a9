"""Pad."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Pad")
class Pad(Layer):
    """The bottom with a number (pad_param.constant_values) around it; paddings has two counts an axis, before and
    behind. Raises LayerError for another number of them. Source: PadLayer of Synopsys' Caffe.
    """

    reads = ("pad_param",)
    origin = "Synopsys"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, paddings = bottom[0].shape, list(self.layer_param.pad_param.paddings)
        if len(paddings) != 2 * len(shape):
            raise self.error(
                f"paddings are {paddings} for a bottom of shape {shape}; expected two an axis, {2 * len(shape)}"
            )
        before, behind = paddings[::2], paddings[1::2]
        top[0].reshape(*(a + size + b for size, a, b in zip(shape, before, behind, strict=True)))
        self.inside = tuple(slice(a, a + size) for size, a in zip(shape, before, strict=True))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data.fill(self.layer_param.pad_param.constant_values)
        top[0].data[self.inside] = bottom[0].data

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff[self.inside]
