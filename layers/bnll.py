"""Binomial normal log likelihood."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.common.logexp import exp_of_negative, log1p_exp
from caffe_compat.layers.kernels import neuron as kernels
from caffe_compat.layers.kernels.scratch import scratch
from caffe_compat.layers.registry import register


@register("BNLL")
class BNLL(InPlaceLayer):
    """log(1 + exp(x)), which for large x is x; any shape.

    Source: Caffe's BNLLLayer, whose gradient in place is wrong; here it is right.
    """

    reads = ()

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = self.keep_input(bottom, top), top[0].data
        log1p_exp(x, y)
        kernels.add_positive(x.reshape(-1), y.reshape(-1))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x = self.kept_input(bottom, top).reshape(-1)
            power = scratch(x.shape, x.dtype)
            exp_of_negative(x, power)
            kernels.bnll_backward(power, top[0].diff.reshape(-1), bottom[0].diff.reshape(-1))
