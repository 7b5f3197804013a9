"""Duplicate."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.registry import register


@register("Duplicate")
class Duplicate(Layer):
    """Maps that have one value each: N x C x 1 x 1 becomes N x C x height x width of duplicate_param (1 each).

    Raises LayerError for a bottom of another shape. Source: DuplicateLayer of SSAW14's Caffe, after its GPU kernels,
    since on the CPU it computes nothing.
    """

    reads = ("duplicate_param",)
    origin = "SSAW14"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, param = bottom[0].shape, self.layer_param.duplicate_param
        if len(shape) != 4 or shape[2:] != (1, 1):
            raise self.error(f"the bottom has the shape {shape}, expected N x C x 1 x 1")
        sizes = cut_off(param.height), cut_off(param.width)
        if min(sizes) < 1:
            raise self.error(
                f"height and width are {param.height:g} and {param.width:g}; they must be at least 1"
            )
        top[0].reshape(*shape[:2], *sizes)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = bottom[0].data

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff.sum(axis=(2, 3), keepdims=True)
