"""Quantize."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register

BOUNDS = (1, 12, 36, 80, 200)


@register("Quantize")
class Quantize(Layer):
    """Scales of a skeleton as classes: 0 below 1 and from 200 on, then 1, 2, 3 and 4 from 1, 12, 36 and 80 on.

    bottom and top: any shape. Forward only. Raises LayerError for NaN. Source: QuantizeLayer of DeepSkeleton's fork of
    Caffe; Shen et al., Object Skeleton Extraction in Natural Images (2016).
    """

    reads = ()
    has_backward = False
    origin = "DeepSkeleton"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if np.isnan(bottom[0].data).any():
            raise self.error("the bottom holds NaN, which is no scale; correct the labels")
        top[0].data[...] = np.digitize(bottom[0].data, BOUNDS) % len(BOUNDS)
