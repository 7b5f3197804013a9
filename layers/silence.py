"""A consumer that does nothing."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Silence")
class Silence(Layer):
    """Takes any bottoms, so that they are no outputs of the net; the gradient at them is 0.

    Source: Caffe's SilenceLayer.
    """

    reads = ()
    bottom_count = (1, None)
    top_count = (0, 0)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, wanted in zip(bottom, propagate_down, strict=True):
            if wanted:
                blob.diff.fill(0)
