"""BatchNorm."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TEST
from caffe_compat.layers.common import channels
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import FillerParameter

ZEROS = FillerParameter(type="constant")


@register("BatchNorm")
class BatchNorm(InPlaceLayer):
    """(x - mean) / sqrt(variance + eps), channel by channel; a Scale layer behind it learns the rest.

    bottom: N x C x anything (of one axis: a single channel). Mean and variance are the batch's, or in phase
    TEST, unless batch_norm_param.use_global_stats says otherwise, those of the params.

    params: moving sums of the mean and of the unbiased variance (C each), and of their weights (1); what is
    divided by the last one is the average. Each forward with the batch's statistics multiplies them by
    moving_average_fraction and adds its own. They are not learned: their lr_mult is 0, and stating another
    one raises LayerError, as in BVLC's Caffe (the Fast R-CNN fork wants the zeros to be written out).

    Source: Caffe's BatchNormLayer; Ioffe and Szegedy (2015).
    """

    reads = ("batch_norm_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.batch_norm_param
        self.use_global_stats = self.phase == TEST
        if param.HasField("use_global_stats"):
            self.use_global_stats = param.use_global_stats
        self.fraction, self.eps = map(bottom[0].dtype.type, (param.moving_average_fraction, param.eps))
        channel = (bottom[0].channels,)
        set_up_params(self, (channel, ZEROS), (channel, ZEROS), ((1,), ZEROS))
        self._fix_params()

    def _fix_params(self) -> None:
        specs = self.layer_param.param
        for i in range(len(self.blobs)):
            if i == len(specs):
                specs.add(lr_mult=0)
            if specs[i].lr_mult != 0:
                raise self.error(
                    f"param {i} has lr_mult {specs[i].lr_mult:g}, but is a statistic that is not learned; "
                    "set lr_mult: 0 or leave its param entry out"
                )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shape = bottom[0].shape
        if bottom[0].channels != self.blobs[0].count:
            raise self.error(
                f"the bottom {shape} has {bottom[0].channels} channels, the params {self.blobs[0].count}"
            )
        if not self.use_global_stats and bottom[0].count == 0:
            raise self.error(f"the bottom has the shape {shape}: there is nothing to take the statistics of")
        self.view = bottom[0].num, bottom[0].channels, math.prod(shape[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.use_global_stats:
            x = bottom[0].data.reshape(self.view)
            self.mean, self.factor = self.global_stats()
        else:
            x = self.keep_input(bottom, top).reshape(self.view)
            self.mean, variance = channels.moments(x)
            self._remember(variance, bottom[0].count // bottom[0].channels)
            self.factor = 1 / np.sqrt(variance + self.eps)
        channels.affine(x, self.factor, top[0].data.reshape(self.view), centre=self.mean)

    def global_stats(self) -> tuple[np.ndarray, np.ndarray]:
        """What the params say of each channel: its mean, and one over its standard deviation."""
        mean, variance, weight = (blob.data for blob in self.blobs)
        share = 1 / weight[0] if weight[0] else 0
        return mean * share, 1 / np.sqrt(variance * share + self.eps)

    def _remember(self, variance: np.ndarray, count: int) -> None:
        unbiased = variance * variance.dtype.type(count / max(1, count - 1))
        for blob, value in zip(self.blobs, (self.mean, unbiased, 1), strict=True):
            blob.data[...] = blob.data * self.fraction + value

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        diff, x_diff = top[0].diff.reshape(self.view), bottom[0].diff.reshape(self.view)
        if self.use_global_stats:
            channels.affine(diff, self.factor, x_diff)
        else:
            x = self.kept_input(bottom, top).reshape(self.view)
            channels.standardize_backward(x, self.mean, self.factor, diff, x_diff)
