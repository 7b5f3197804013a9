"""GroupNorm."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common import channels
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.registry import register


@register("GroupNorm")
class GroupNorm(InPlaceLayer):
    """(x - mean) / sqrt(variance + eps), with the mean and variance of a group of channels of one image.

    bottom: N x C x anything; the C channels form group_norm_param.group_num groups of neighbours. Where the message has
    `group` in its place, scale_filler or bias_filler, the layer learns too: each channel times params[0] plus params[1]
    (1 x C x 1 x 1 each, filled with 0 where no filler is given). In place allowed. Raises LayerError where the groups
    do not share the channels evenly.
    Source: GroupNormLayer of GroupNorm-caffe, and of hujie's Caffe, both for the GPU only; Wu and He, Group
    Normalization (2018).
    """

    reads = ("group_norm_param",)
    origin = "GroupNorm-caffe, hujie's"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.group_norm_param
        learns = any(map(param.HasField, ("group", "scale_filler", "bias_filler")))
        if learns and (not param.HasField("group") or param.HasField("group_num")):
            raise self.error("scale_filler and bias_filler go with group; give it, and no group_num")
        self.groups = param.group if learns else param.group_num
        if learns:
            shape = (1, bottom[0].channels, 1, 1)
            set_up_params(self, (shape, param.scale_filler), (shape, param.bias_filler))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shape = bottom[0].shape
        if len(shape) < 2 or self.groups < 1 or shape[1] % self.groups or not bottom[0].count:
            raise self.error(f"the bottom has the shape {shape}; expected channels for {self.groups} groups")
        if self.blobs and shape[1] != self.blobs[0].count:
            raise self.error(
                f"the bottom {shape} has {shape[1]} channels, the params have {self.blobs[0].count}"
            )
        self.by_channel = shape[0], shape[1], math.prod(shape[2:])
        self.by_group = 1, shape[0] * self.groups, bottom[0].count // (shape[0] * self.groups)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y, eps = bottom[0].data.reshape(self.by_group), top[0].data, self.layer_param.group_norm_param.eps
        kept = self.room_to_keep(bottom, top)
        self.mean, _, self.factor = channels.standardize(x, eps, y.reshape(self.by_group), kept)
        if self.blobs:
            scale, bias = (blob.data.reshape(-1) for blob in self.blobs)
            channels.affine(y.reshape(self.by_channel), scale, y.reshape(self.by_channel), bias=bias)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        x, diff = self.kept_input(bottom, top).reshape(self.by_group), top[0].diff
        if self.blobs:
            self._add_param_diffs(x, diff.reshape(self.by_channel))
        if not propagate_down[0]:
            return
        if self.blobs:
            scale, scaled = self.blobs[0].data.reshape(-1), np.empty(self.by_channel, diff.dtype)
            channels.affine(diff.reshape(self.by_channel), scale, scaled)
            diff = scaled
        x_diff = bottom[0].diff.reshape(self.by_group)
        channels.standardize_backward(x, self.mean, self.factor, diff.reshape(self.by_group), x_diff)

    def _add_param_diffs(self, x: np.ndarray, diff: np.ndarray) -> None:
        if not (self.propagates_to(0) or self.propagates_to(1)):
            return
        normalized = np.empty_like(x)
        channels.affine(x, self.factor, normalized, centre=self.mean)
        total, product = channels.sums(diff, normalized.reshape(self.by_channel))
        for i, values in enumerate((product, total)):
            if self.propagates_to(i):
                self.blobs[i].diff[...] += values.reshape(self.blobs[i].shape)
