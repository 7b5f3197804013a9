"""One blob for several layers."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels.eltwise import copy, write_sum
from caffe_compat.layers.registry import register


@register("Split")
class Split(Layer):
    """The tops share the bottom's data; the gradient at the bottom is the sum of theirs. Any shape.

    Source: Caffe's SplitLayer, which its nets get wherever several layers read one blob.
    """

    reads = ()
    shares_data = True
    top_count = (1, None)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob in top:
            blob.reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob in top:
            blob.share_data(bottom[0])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        diff, (first, *others) = bottom[0].diff.reshape(-1), (blob.diff.reshape(-1) for blob in top)
        if not others:
            copy(first, diff)
            return
        write_sum(first, others[0], diff)
        for other in others[1:]:
            write_sum(diff, other, diff)
