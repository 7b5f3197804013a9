"""The cont of recurrent layers, for batches whose sequences all start in the first step."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("ContinuationIndicator")
class ContinuationIndicator(Layer):
    """top: time_step x batch_size, 0 in the first row and 1 in all others.

    Raises LayerError where one of the two is 0.
    Source: ContinuationIndicatorLayer of Intel's fork of Caffe and of those with warp-ctc.
    """

    reads = ("continuation_indicator_param",)
    origin = "warp-ctc's"
    bottom_count = (0, 0)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.continuation_indicator_param
        if min(param.time_step, param.batch_size) < 1:
            raise self.error("continuation_indicator_param needs a time_step and a batch_size of at least 1")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.continuation_indicator_param
        top[0].reshape(param.time_step, param.batch_size)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[0] = 0
        top[0].data[1:] = 1
