"""Axes of a blob in another order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Permute")
class Permute(Layer):
    """Axis i of the top is axis permute_param.order[i] of the bottom; axes not named follow in their order.

    Raises LayerError for an axis that is named twice, or that the bottom does not have.
    Source: PermuteLayer of the SSD fork of Caffe (Liu et al., SSD: Single Shot MultiBox Detector, 2016).
    """

    reads = ("permute_param",)
    origin = "SSD"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        order, shape = list(self.layer_param.permute_param.order), bottom[0].shape
        if len(set(order)) != len(order) or any(axis >= len(shape) for axis in order):
            raise self.error(
                f"order is {order}; expected axes of a bottom of shape {shape}, none of them twice"
            )
        self.order = order + [axis for axis in range(len(shape)) if axis not in order]
        top[0].reshape(*[shape[axis] for axis in self.order])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.copyto(top[0].data, bottom[0].data.transpose(self.order))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.copyto(bottom[0].diff.transpose(self.order), top[0].diff)
