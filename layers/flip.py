"""Flip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Flip")
class Flip(Layer):
    """The bottom mirrored: left and right with flip_width (true), top and bottom with flip_height.

    bottom, top: N x C x H x W, where missing axes count as 1. Raises LayerError for more axes.
    Source: FlipLayer of happynear's Caffe.
    """

    reads = ("flip_param",)
    origin = "happynear"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.flip_param
        rows, columns = (
            slice(None, None, -1 if flag else 1) for flag in (param.flip_height, param.flip_width)
        )
        self.order = (..., rows, columns)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) > 4:
            raise self.error(f"the bottom has the shape {shape}; expected at most 4 axes")
        top[0].reshape(*shape)
        self.view = *shape, *[1] * (4 - len(shape))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.copyto(top[0].data.reshape(self.view), bottom[0].data.reshape(self.view)[self.order])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.copyto(bottom[0].diff.reshape(self.view), top[0].diff.reshape(self.view)[self.order])
