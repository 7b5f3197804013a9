"""Softmax."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, around_axis, canonical_axis
from caffe_compat.layers.common.loss import NO_LABEL_WEIGHTS
from caffe_compat.layers.kernels import softmax as kernels
from caffe_compat.layers.registry import register


@register("Softmax")
class Softmax(Layer):
    """exp(x) over the sum of exp along softmax_param.axis (1: channels); any shape, the same as the top's.

    Source: Caffe's SoftmaxLayer.
    """

    reads = ("softmax_param",)
    without_effect = ("softmax_param.normalize_type",)
    refused = NO_LABEL_WEIGHTS
    backward_reads_top = True
    in_place = True

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        axis = canonical_axis(self, self.layer_param.softmax_param.axis, bottom[0])
        top[0].reshape(*bottom[0].shape)
        self.view = around_axis(bottom[0].shape, axis)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        kernels.softmax(bottom[0].data.reshape(self.view), top[0].data.reshape(self.view))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            y, y_diff, x_diff = (
                array.reshape(self.view) for array in (top[0].data, top[0].diff, bottom[0].diff)
            )
            kernels.softmax_backward(y, y_diff, x_diff)
