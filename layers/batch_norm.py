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

ZEROS, ONES = FillerParameter(type="constant"), FillerParameter(type="constant", value=1)


@register("BatchNorm")
class BatchNorm(InPlaceLayer):
    """(x - mean) / sqrt(variance + eps), channel by channel; a Scale layer behind it learns the rest.

    bottom: N x C x anything (of one axis: a single channel). Mean and variance are the batch's, or in phase
    TEST, unless batch_norm_param.use_global_stats says otherwise, those of the params.

    params: moving sums of the mean and of the unbiased variance (C each), and of their weights (1); what is
    divided by the last one is the average. Each forward with the batch's statistics multiplies them by
    moving_average_fraction and adds its own. They are not learned: their lr_mult is 0, and stating another
    one raises LayerError, as in BVLC's Caffe (the Fast R-CNN fork wants the zeros to be written out).

    With NVCaffe's scale_bias, scale_filler or bias_filler the layer learns the rest itself: two more params, scale
    and bias (C each), whose lr_mult and decay_mult are always 1, those of the others 0. The statistics are then as
    NVCaffe's: averages, which the first two forwards set and later ones move, with eps in the variance, and 1 for
    their weight.

    Source: Caffe's and NVCaffe's BatchNormLayer; Ioffe and Szegedy (2015).
    """

    reads = ("batch_norm_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.batch_norm_param
        self.use_global_stats = self.phase == TEST
        if param.HasField("use_global_stats"):
            self.use_global_stats = param.use_global_stats
        self.fraction, self.eps = map(bottom[0].dtype.type, (param.moving_average_fraction, param.eps))
        channel = (bottom[0].channels,)
        self.has_scale_bias = (
            param.scale_bias or param.HasField("scale_filler") or param.HasField("bias_filler")
        )
        self.forwards = 0  # those that moved the statistics
        if self.has_scale_bias:
            scale = param.scale_filler if param.HasField("scale_filler") else ONES
            statistics = (channel, ZEROS), (channel, ZEROS), ((1,), ONES)
            set_up_params(self, *statistics, (channel, scale), (channel, param.bias_filler))
            self._teach_scale_and_bias()
        else:
            set_up_params(self, (channel, ZEROS), (channel, ZEROS), ((1,), ZEROS))
            self._fix_params()

    def _teach_scale_and_bias(self) -> None:
        specs = self.layer_param.param
        for i in range(len(self.blobs)):
            spec = specs[i] if i < len(specs) else specs.add()
            spec.lr_mult = spec.decay_mult = float(i >= 3)

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
        x, y = bottom[0].data.reshape(self.view), top[0].data.reshape(self.view)
        scale, bias = self.scale_and_bias() if self.has_scale_bias else (None, None)
        if self.use_global_stats:
            kept = self.room_to_keep(bottom, top) if self.has_scale_bias else None
            self.mean, self.factor = self.global_stats()
            factor = self.factor if scale is None else self.factor * scale
            channels.affine(x, factor, y, self.mean, bias, kept)
            return
        kept = self.room_to_keep(bottom, top)
        self.mean, variance, self.factor = channels.standardize(x, self.eps, y, kept, scale, bias)
        self.remember(variance)

    def scale_and_bias(self) -> tuple[np.ndarray, np.ndarray]:
        """What is learned of each channel, of a layer that has it."""
        return self.blobs[3].data, self.blobs[4].data

    def global_stats(self) -> tuple[np.ndarray, np.ndarray]:
        """What the params say of each channel: its mean, and one over its standard deviation."""
        mean, variance, weight = (self.blobs[i].data for i in range(3))
        share = 1 / weight[0] if weight[0] else 0
        return mean * share, 1 / np.sqrt(variance * share + self.eps)

    def remember(self, variance: np.ndarray) -> None:
        """Move the statistics by the batch's: its mean, which is set, and its mean square distance from that."""
        count = self.view[0] * self.view[2]
        if self.has_scale_bias:
            kept = self.fraction if self.forwards > 1 else 0
            for i, value in enumerate((self.mean, variance + self.eps)):
                self.blobs[i].data[...] = self.blobs[i].data * kept + value * (1 - kept)
            self.forwards += 1
            return
        unbiased = variance * variance.dtype.type(count / max(1, count - 1))
        for blob, value in zip(self.blobs, (self.mean, unbiased, 1), strict=True):
            blob.data[...] = blob.data * self.fraction + value

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        diff, scale = (
            top[0].diff.reshape(self.view),
            self.scale_and_bias()[0] if self.has_scale_bias else None,
        )
        x_diff = bottom[0].diff.reshape(self.view) if propagate_down[0] else None
        moves = None if self.use_global_stats else x_diff  # through the statistics too
        if moves is not None or scale is not None:
            x = self.kept_input(bottom, top).reshape(self.view)
            sums = channels.standardize_backward(x, self.mean, self.factor, diff, moves, scale)
            if scale is not None:
                self._add_param_gradients(*sums)
        if self.use_global_stats and x_diff is not None:
            channels.affine(diff, self.factor if scale is None else self.factor * scale, x_diff)

    def _add_param_gradients(self, total: np.ndarray, product: np.ndarray) -> None:
        if self.propagates_to(3):
            self.blobs[3].diff[...] += product * self.factor
        if self.propagates_to(4):
            self.blobs[4].diff[...] += total

    def get_state(self) -> dict[str, np.ndarray]:
        return {"forwards": np.array(self.forwards)} if self.has_scale_bias and self.forwards else {}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.forwards = int(state["forwards"])
