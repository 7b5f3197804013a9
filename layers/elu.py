"""Exponential linear units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.kernels import neuron as kernels
from caffe_compat.layers.kernels.scratch import scratch
from caffe_compat.layers.registry import register


@register("ELU")
class ELU(InPlaceLayer):
    """x where x > 0, else elu_param.alpha * (exp(x) - 1); any shape.

    Raises LayerError in place with a negative alpha: the sign of the input would be lost for backward.
    Source: Caffe's ELULayer; Clevert, Unterthiner and Hochreiter (2015).
    """

    reads = ("elu_param",)
    backward_reads_top = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        alpha = self.layer_param.elu_param.alpha
        if alpha < 0 and top[0] is bottom[0]:
            raise self.error(f"alpha {alpha:g} is below 0, which does not work in place; rename the top")
        self.alpha = bottom[0].dtype.type(alpha)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].data.reshape(-1)
        power = scratch(x.shape, x.dtype)
        np.minimum(x, 0, out=power)
        np.exp(power, out=power)  # vectorised, as a kernel's is not
        kernels.elu(x, power, self.alpha, top[0].data.reshape(-1))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x, y, y_diff, x_diff = (
                array.reshape(-1) for array in (bottom[0].data, top[0].data, top[0].diff, bottom[0].diff)
            )
            kernels.elu_backward(x, y, y_diff, self.alpha, x_diff)
