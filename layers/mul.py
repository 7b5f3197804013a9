"""Mul."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Mul")
class Mul(Layer):
    """top[0] = bottom[0] * bottom[1]: axes are matched from the last one on, and a size of 1 counts for any other.

    Raises LayerError for shapes that do not fit. With one bottom, Synopsys' layer has a param for the other factor:
    here that is a Scale. Source: MulLayer of Synopsys' Caffe, which has no backward pass.
    """

    reads = ()
    bottom_count = (2, 2)
    origin = "Synopsys"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [tuple(blob.shape) for blob in bottom]
        try:
            top[0].reshape(*np.broadcast_shapes(*shapes))
        except ValueError:
            raise self.error(
                f"the bottoms' shapes {shapes[0]} and {shapes[1]} do not fit: from the last axis on, sizes are the "
                "same or 1"
            ) from None

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.multiply(bottom[0].data, bottom[1].data, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, other, wanted in zip(bottom, bottom[::-1], propagate_down, strict=True):
            if wanted:
                diff = top[0].diff * other.data
                ones = diff.ndim - len(blob.shape)
                shape = (1,) * ones + tuple(blob.shape)
                spread = tuple(i for i, size in enumerate(shape) if size == 1)
                blob.diff[...] = diff.sum(axis=spread, keepdims=True).reshape(blob.shape)
