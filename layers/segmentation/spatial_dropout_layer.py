"""SpatialDropoutLayer of ENet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.param_str import dropout_params


class SpatialDropoutLayer(Layer):
    """`python_param { module: "spatial_dropout" layer: "SpatialDropoutLayer" }`: dropout of whole channels.

    bottom and top: N x C x ... With p and phase of param_str: in phase TRAIN each channel of each image is 0 with
    probability p, and is divided by 1 - p otherwise; in phase TEST, too, all is divided by 1 - p, as there. The phase
    is that of param_str, not the net's. Draws from numpy's global random numbers. Raises LayerError for a p that is
    not between 0 and 1, and for less than two axes. Source: spatial_dropout of TimoSaemann's ENet.
    """

    origin = "ENet"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.p, self.drops = dropout_params(self)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom[0].shape) < 2:
            raise self.error(f"the bottom has the shape {bottom[0].shape}; expected at least two axes")
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        ones = np.ones(shape[1], np.int64)
        kept = [np.random.binomial(ones, 1 - self.p) if self.drops else ones for _ in range(shape[0])]
        scales = np.array(kept, self.dtype).reshape(*shape[:2], *[1] * (len(shape) - 2))
        self.scales = scales * self.dtype(1 / (1 - self.p))
        np.multiply(bottom[0].data, self.scales, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(top[0].diff, self.scales, out=bottom[0].diff)
