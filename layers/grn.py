"""GRN: each pixel's channels over the root of their sum of squares."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("GRN")
class GRN(Layer):
    """Each place's channels over the root of their sum of squares plus bias (grn_param).

    bottom and top: N x C x anything. With dummy_backward the bottom gets the top's gradient as it is. Raises LayerError
    for a bias below 0, and for a bottom of one axis.

    Source: GRNLayer of OpenVINO's training toolbox (opencv/training_toolbox_caffe); yuanyang's first one, of triplet
    nets for faces, has no grn_param, and a bias of 0.
    """

    reads = ("grn_param",)
    origin = "OpenVINO"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        bias = self.layer_param.grn_param.bias
        if not bias >= 0:
            raise self.error(f"bias is {bias:g}; it must be at least 0")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) < 2:
            raise self.error(f"the bottom has the shape {shape}, expected N x C x anything")
        self.view = *shape[:2], math.prod(shape[2:])
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].data.reshape(self.view)
        bias = x.dtype.type(self.layer_param.grn_param.bias)
        self.norm = np.sqrt(np.einsum("ncp,ncp->np", x, x) + bias)[:, None]
        with np.errstate(invalid="ignore"):  # of a place that is 0, with a bias of 0
            np.divide(x, self.norm, out=top[0].data.reshape(self.view))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        if self.layer_param.grn_param.dummy_backward:
            bottom[0].diff[...] = top[0].diff
            return
        x, y_diff = (array.reshape(self.view) for array in (bottom[0].data, top[0].diff))
        along = np.einsum("ncp,ncp->np", x, y_diff)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            slopes = y_diff - x * (along / (self.norm * self.norm))
            np.divide(slopes, self.norm, out=bottom[0].diff.reshape(self.view))
