"""Extend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.orn.orientations import orientations
from caffe_compat.layers.registry import register


@register("Extend")
class Extend(Layer):
    """Each channel as often as there are orientations (orn_param), one behind the other.

    bottom: N x C x H x W; top: N x (C orientations) x H x W. Forward only: it stands on images. Raises LayerError for
    other shapes, and for orientations below 2. Source: ExtendLayer of ORN (ZhouYanzhao), whose backward does nothing.
    """

    reads = ("orn_param",)
    has_backward = False
    origin = "ORN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.count = orientations(self)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4:
            raise self.error(f"the bottom has the shape {shape}; expected N x C x H x W")
        top[0].reshape(shape[0], shape[1] * self.count, *shape[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = np.repeat(bottom[0].data, self.count, axis=1)
