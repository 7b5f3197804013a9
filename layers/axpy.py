"""Channels times a factor of their own, plus a blob."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Axpy")
class Axpy(Layer):
    """top[0] = a x + y: x and y are N x C x ..., a is N x C (or N x C x 1 x 1), one factor a channel.

    bottom: a, x, y. Raises LayerError for shapes that do not agree.
    Source: AxpyLayer of the SENet fork of Caffe (Hu et al., Squeeze-and-Excitation Networks, 2018).
    """

    reads = ()
    origin = "SENet"
    bottom_count = (3, 3)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        factors, x, y = (blob.shape for blob in bottom)
        if len(x) < 2 or y != x or factors[:2] != x[:2] or bottom[0].count != x[0] * x[1]:
            raise self.error(
                f"a, x and y have the shapes {factors}, {x}, {y}; expected N x C, and N x C x ... twice"
            )
        self.rows = x[0] * x[1], math.prod(x[2:])
        top[0].reshape(*x)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = (blob.data.reshape(self.rows) for blob in bottom[1:])
        out = top[0].data.reshape(self.rows)
        np.multiply(bottom[0].data.reshape(-1, 1), x, out=out)
        out += y

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        seed = top[0].diff.reshape(self.rows)
        if propagate_down[0]:
            x = bottom[1].data.reshape(self.rows)
            np.einsum("ij,ij->i", seed, x, out=bottom[0].diff.reshape(-1))
        if propagate_down[1]:
            np.multiply(bottom[0].data.reshape(-1, 1), seed, out=bottom[1].diff.reshape(self.rows))
        if propagate_down[2]:
            np.copyto(bottom[2].diff, top[0].diff)
