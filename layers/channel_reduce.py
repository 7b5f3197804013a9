"""ChannelReduce: groups of channels become one each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import ChannelReduceParameter


@register("ChannelReduce")
class ChannelReduce(Layer):
    """The largest (operation MAX) or the sum (SUM) of each of num_channels groups of channels that follow each other.

    bottom: N x C x any axes; top: N x num_channels x these. Of equal maxima the first takes the gradient. Raises
    LayerError unless num_channels divides C.
    Source: ChannelReduceLayer of segaware's Caffe (aharley).
    """

    reads = ("channel_reduce_param",)
    origin = "segaware"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, groups = bottom[0].shape, self.layer_param.channel_reduce_param.num_channels
        if len(shape) < 2 or groups < 1 or shape[1] < groups or shape[1] % groups:
            raise self.error(
                f"the bottom has the shape {shape}; expected N x C x ..., C a multiple of {groups}"
            )
        self.view = shape[0], groups, shape[1] // groups, math.prod(shape[2:])
        top[0].reshape(shape[0], groups, *shape[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = (
            bottom[0].data.reshape(self.view),
            top[0].data.reshape(self.view[0], self.view[1], self.view[3]),
        )
        if self.layer_param.channel_reduce_param.operation == ChannelReduceParameter.SUM:
            x.sum(axis=2, out=y)
        else:
            x.max(axis=2, out=y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        diff = bottom[0].diff.reshape(self.view)
        of_top = top[0].diff.reshape(self.view[0], self.view[1], 1, self.view[3])
        if self.layer_param.channel_reduce_param.operation == ChannelReduceParameter.SUM:
            diff[...] = of_top
            return
        best = bottom[0].data.reshape(self.view).argmax(axis=2)[:, :, None]
        diff.fill(0)
        np.put_along_axis(diff, best, of_top, axis=2)
