"""Channels of groups, mixed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("ShuffleChannel")
class ShuffleChannel(Layer):
    """The first channel of each of shuffle_channel_param.group groups, then the second of each, and so on.

    bottom[0] and top[0]: N x C x ..., C a multiple of group. Raises LayerError where it is not.
    Source: ShuffleChannelLayer of farmingyard's ShuffleNet for Caffe; Zhang et al., ShuffleNet (2017).
    """

    reads = ("shuffle_channel_param",)
    origin = "ShuffleNet"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        group, shape = self.layer_param.shuffle_channel_param.group, bottom[0].shape
        if len(shape) < 2 or group < 1 or shape[1] % group:
            raise self.error(
                f"group is {group} and the bottom of shape {shape}; expected N x C x ..., C a multiple of group"
            )
        size, inner = shape[1] // group, math.prod(shape[2:])
        self.groups, self.mixed = (shape[0], group, size, inner), (shape[0], size, group, inner)
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.copyto(top[0].data.reshape(self.mixed), bottom[0].data.reshape(self.groups).swapaxes(1, 2))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.copyto(bottom[0].diff.reshape(self.groups), top[0].diff.reshape(self.mixed).swapaxes(1, 2))
