"""Rescale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register

LEAST = 1e-4


@register("Rescale")
class Rescale(Layer):
    """Scales x of a skeleton as regression targets, 2 x / rf - 1 where 0 < x < rescale_param.rf, and 0 elsewhere.

    bottom: any shape; what is at most 0.0001 from 0 counts as 0, and negative numbers are rescaled too. top[0]: of its
    shape; top[1], if wanted: 1 where x is rescaled, 0 elsewhere. Forward only. Raises LayerError for an rf of 0.

    Source: RescaleLayer of DeepSkeleton's fork of Caffe; Shen et al., DeepSkeleton (2017).
    """

    reads = ("rescale_param",)
    top_count = (1, 2)
    has_backward = False
    origin = "DeepSkeleton"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.layer_param.rescale_param.rf < 1:
            raise self.error("rescale_param.rf is 0; it must be at least 1")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob in top:
            blob.reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, field = bottom[0].data, self.layer_param.rescale_param.rf
        within = ~((x >= field) | (np.abs(x) <= LEAST))
        top[0].data[...] = np.where(within, 2 * x / field - 1, 0)
        for blob in top[1:]:
            blob.data[...] = within
