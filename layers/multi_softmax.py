"""MultiSoftmax."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, around_axis
from caffe_compat.layers.kernels import softmax as kernels
from caffe_compat.layers.registry import register


@register("MultiSoftmax")
class MultiSoftmax(Layer):
    """max_multiple times the softmax over the channels of each pixel (mult_softmax_param).

    bottom, top: N x C x ... The gradient is the fork's, in which the top stands for the softmax: it is the true one
    where max_multiple is 1. Raises LayerError for a bottom without channels.

    Source: MultiSoftmaxLayer of Arroosh/optical_flow_prediction.
    """

    reads = ("mult_softmax_param",)
    origin = "Arroosh"
    backward_reads_top = True
    in_place = True

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom[0].shape) < 2:
            raise self.error(f"the bottom has the shape {bottom[0].shape}; expected N x C x ...")
        top[0].reshape(*bottom[0].shape)
        self.view = around_axis(bottom[0].shape, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        kernels.softmax(bottom[0].data.reshape(self.view), top[0].data.reshape(self.view))
        top[0].data[...] *= self.layer_param.mult_softmax_param.max_multiple

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            y, y_diff, x_diff = (
                array.reshape(self.view) for array in (top[0].data, top[0].diff, bottom[0].diff)
            )
            kernels.softmax_backward(y, y_diff, x_diff)
