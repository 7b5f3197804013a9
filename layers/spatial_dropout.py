"""Dropout of whole channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng


@register("SpatialDropout")
class SpatialDropout(InPlaceLayer):
    """In training each channel of each image is 0 with probability dropout_param.dropout_ratio.

    bottom: N x C x anything. What is kept is scaled by 1 / (1 - dropout_ratio). One draw of the global stream a channel
    of an image. The layer has a message of its own, spatial_dropout_param, but reads that of Dropout, as the original
    does. Raises LayerError unless 0 <= dropout_ratio < 1.
    Source: SpatialDropoutLayer of Intel's Caffe; Tompson and others (2015).
    """

    reads = ("dropout_param",)
    without_effect = ("dropout_param.scale_train", "dropout_param.sample_weights_test")
    origin = "Intel's Caffe"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        ratio = self.layer_param.dropout_param.dropout_ratio
        if not 0 <= ratio < 1:
            raise self.error(f"dropout_ratio is {ratio:g}; it must be at least 0 and below 1")
        self.keep_ratio = 1.0 - ratio

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shape = bottom[0].shape
        if len(shape) < 2:
            raise self.error(f"the bottom has the shape {shape}; expected at least two axes")
        self.channels = (*shape[:2], *[1] * (len(shape) - 2))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.phase != TRAIN:
            top[0].data[...] = bottom[0].data
            return
        keep = np.empty(self.channels, np.uint8)
        caffe_rng().bernoulli(self.keep_ratio, keep.reshape(-1))
        self.factor = keep * bottom[0].dtype.type(1 / self.keep_ratio)
        np.multiply(bottom[0].data, self.factor, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            factor = self.factor if self.phase == TRAIN else 1
            np.multiply(top[0].diff, factor, out=bottom[0].diff)
