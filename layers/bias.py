"""Bias."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.broadcast import broadcast_view, param_shape
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.registry import register


@register("Bias")
class Bias(InPlaceLayer):
    """bottom[0] plus a bias that stands for some of its axes, from bias_param.axis on.

    The bias is bottom[1], of any shape that fits there (a scalar too), or else the layer's param, of the
    bottom's num_axes axes (-1: all from axis on). Raises LayerError where it does not fit.
    Source: Caffe's BiasLayer.
    """

    reads = ("bias_param",)
    bottom_count = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.bias_param
        if len(bottom) == 1:
            shape = param_shape(self, param.axis, param.num_axes, bottom[0])
            set_up_params(self, (shape, param.filler))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = broadcast_view(self, self.layer_param.bias_param.axis, bottom[0], self._bias(bottom))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        bias = self._bias(bottom).data.reshape(-1, 1)
        np.add(bottom[0].data.reshape(self.view), bias, out=top[0].data.reshape(self.view))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        bias, learned = self._bias(bottom), len(bottom) == 1
        if self.propagates_to(0) if learned else propagate_down[1]:
            total = top[0].diff.reshape(self.view).sum(axis=(0, 2)).reshape(bias.shape)
            bias.diff[...] = bias.diff + total if learned else total
        if propagate_down[0] and top[0] is not bottom[0]:
            np.copyto(bottom[0].diff, top[0].diff)

    def _bias(self, bottom: Sequence[Blob]) -> Blob:
        return bottom[1] if len(bottom) > 1 else self.blobs[0]
