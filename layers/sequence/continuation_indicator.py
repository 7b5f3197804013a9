"""The cont of recurrent layers, for batches whose sequences all start in the first step."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.registry import register


@register("ContinuationIndicator")
class ContinuationIndicator(Layer):
    """top: time_step x batch_size, 0 in the first row and 1 in all others.

    With a bottom its axis `axis` is the batch_size. Raises LayerError where one of the two is 0, and without that axis.
    Source: ContinuationIndicatorLayer of Intel's fork of Caffe and of those with warp-ctc; DeepDetect's (jolibrain)
    takes a bottom.
    """

    reads = ("continuation_indicator_param",)
    origin = "warp-ctc's"
    bottom_count = (0, 1)
    no_gradient = (0,)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.continuation_indicator_param

    def _batch_size(self, bottom: Sequence[Blob]) -> int:
        if not bottom:
            return int(self.param.batch_size)
        return bottom[0].shape[canonical_axis(self, self.param.axis, bottom[0])]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = self.param.time_step, self._batch_size(bottom)
        if min(shape) < 1:
            raise self.error("continuation_indicator_param needs a time_step and a batch_size of at least 1")
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[0] = 0
        top[0].data[1:] = 1
