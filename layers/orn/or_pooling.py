"""ORPooling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.orn.orientations import orientations
from caffe_compat.layers.registry import register

LEAST = -999999  # where its Caffe starts its maxima


@register("ORPooling")
class ORPooling(Layer):
    """The greatest of each channel's orientations (orn_param), pixel by pixel; of equal ones the first learns.
    What is not above -999999 (NaN, say) is never the greatest; where all are so, that is the top, and none learns.

    bottom: N x (C orientations) x H x W; top: N x C x H x W. Raises LayerError for other shapes, and for orientations
    below 2. Source: ORPoolingLayer of ORN (ZhouYanzhao).
    """

    reads = ("orn_param",)
    origin = "ORN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.count = orientations(self)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or shape[1] % self.count:
            raise self.error(
                f"the bottom has the shape {shape}; expected N x C x H x W, with {self.count} channels or a multiple"
            )
        self.view = (shape[0], shape[1] // self.count, self.count, *shape[2:])
        top[0].reshape(shape[0], shape[1] // self.count, *shape[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = np.fmax(bottom[0].data.reshape(self.view), LEAST)
        self.greatest = x.argmax(axis=2)[:, :, None]
        top[0].data[...] = np.take_along_axis(x, self.greatest, 2)[:, :, 0]
        self.learns = top[0].data > LEAST

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = 0
            seed = np.where(self.learns, top[0].diff, 0)
            np.put_along_axis(bottom[0].diff.reshape(self.view), self.greatest, seed[:, :, None], 2)
