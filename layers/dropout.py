"""Dropout."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.kernels import neuron as kernels
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng


@register("Dropout")
class Dropout(InPlaceLayer):
    """In training each element is 0 with probability dropout_param.dropout_ratio; any shape.

    What is kept is scaled by 1 / (1 - dropout_ratio) in training; with scale_train: false (of the Fast R-CNN
    fork) it is scaled by 1 - dropout_ratio in testing instead. sample_weights_test: true (of SegNet's) does the same
    in testing as in training. One draw of the global stream an element.
    Raises LayerError unless 0 <= dropout_ratio < 1; 1 is taken where nothing is drawn.
    Source: Caffe's DropoutLayer.
    """

    reads = ("dropout_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.dropout_param
        self.draws = self.phase == TRAIN or param.sample_weights_test
        if not 0 <= param.dropout_ratio <= 1 or (self.draws and param.dropout_ratio == 1):
            raise self.error(f"dropout_ratio is {param.dropout_ratio:g}; it must be at least 0 and below 1")
        self.keep_ratio = 1.0 - param.dropout_ratio
        scale = 1.0
        if param.scale_train == self.draws:
            scale = 1 / self.keep_ratio if param.scale_train else self.keep_ratio
        self.scale = bottom[0].dtype.type(scale)
        self.keep = np.empty(0, np.uint8)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if self.draws and self.keep.size != bottom[0].count:
            self.keep = np.empty(bottom[0].count, np.uint8)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.draws:
            caffe_rng().bernoulli(self.keep_ratio, self.keep)
        self._scale(bottom[0].data, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            self._scale(top[0].diff, bottom[0].diff)

    def _scale(self, x: np.ndarray, y: np.ndarray) -> None:
        if self.draws:
            kernels.scale_kept(x.reshape(-1), self.keep, self.scale, y.reshape(-1))
        elif self.scale != 1:
            np.multiply(x, self.scale, out=y)
        elif not np.may_share_memory(x, y):
            np.copyto(y, x)
