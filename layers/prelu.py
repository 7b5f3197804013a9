"""Rectified linear units whose slope below 0 is learned."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.kernels import channels as kernels
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import FillerParameter

QUARTERS = FillerParameter(type="constant", value=0.25)


@register("PReLU")
class PReLU(InPlaceLayer):
    """max(x, 0) + slope * min(x, 0), with one slope a channel.

    bottom: N x C x anything, two axes at least. param: the slopes (C, or with prelu_param.channel_shared a
    scalar), 0.25 unless there is a filler. Raises LayerError for a bottom of fewer axes or other channels.
    Source: Caffe's PReLULayer; He, Zhang, Ren and Sun, Delving Deep into Rectifiers (2015).
    """

    reads = ("prelu_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.prelu_param
        shape = () if param.channel_shared else (bottom[0].channels,)
        set_up_params(self, (shape, param.filler if param.HasField("filler") else QUARTERS))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shape, slopes = bottom[0].shape, self.blobs[0]
        if len(shape) < 2:
            raise self.error(f"the bottom has the shape {shape}, expected two axes at least")
        if slopes.shape and slopes.count != shape[1]:
            raise self.error(f"the bottom {shape} has {shape[1]} channels, there are {slopes.count} slopes")
        self.view = shape[0], shape[1], math.prod(shape[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = self.keep_input(bottom, top).reshape(self.view)
        kernels.prelu(x, self._slopes(), top[0].data.reshape(self.view))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        x, diff = self.kept_input(bottom, top).reshape(self.view), top[0].diff.reshape(self.view)
        if self.propagates_to(0):
            total = np.empty(self.view[1], x.dtype)
            kernels.prelu_slope_sums(x, diff, total)
            self.blobs[0].diff[...] += total if self.blobs[0].shape else total.sum()
        if propagate_down[0]:
            kernels.prelu_backward(x, diff, self._slopes(), bottom[0].diff.reshape(self.view))

    def _slopes(self) -> np.ndarray:
        """One a channel, shared or not."""
        return np.ascontiguousarray(np.broadcast_to(self.blobs[0].data, self.view[1:2]))
