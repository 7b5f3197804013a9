"""FlagsToIndices."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.attention_mask.places import check_list, flagged
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("FlagsToIndices")
class FlagsToIndices(Layer):
    """The places whose flag is 1, in their order.

    bottom: 1 x 1 x 1 x N flags, 0 or 1; top: K x 1 x 1 x 1. Nothing takes a gradient. Raises LayerError for another
    shape, and other flags.
    Source: FlagsToIndicesLayer of chwilms/AttentionMask.
    """

    reads = ()
    origin = "AttentionMask"
    no_gradient = (0,)
    has_backward = False
    counts_rows = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(0, 1, 1, 1)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the flags; how many are 1 is known after forward."""
        check_list(self, bottom[0], "bottom[0]")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        places = flagged(self, bottom[0])
        top[0].reshape(len(places), 1, 1, 1)
        top[0].data[:, 0, 0, 0] = places
