"""The logistic function."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.kernels import neuron as kernels
from caffe_compat.layers.registry import register


@register("Sigmoid")
class Sigmoid(InPlaceLayer):
    """1 / (1 + exp(-x)); any shape.

    Source: Caffe's SigmoidLayer.
    """

    reads = ()
    backward_reads_top = True

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        kernels.sigmoid(bottom[0].data.reshape(-1), top[0].data.reshape(-1))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            y, y_diff, x_diff = (array.reshape(-1) for array in (top[0].data, top[0].diff, bottom[0].diff))
            kernels.sigmoid_backward(y, y_diff, x_diff)
