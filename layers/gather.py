"""Gather."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Gather")
class Gather(Layer):
    """Puts the batches of all MPI processes behind each other. Here is one process: each top is its bottom.

    As many tops as bottoms, of any shapes. Source: GatherLayer of yjxiong's Caffe (TSN) without MPI.
    """

    reads = ()
    bottom_count = (1, None)
    top_count = (1, None)
    equal_bottom_top = True
    one_to_one = True
    shares_data = True
    origin = "TSN"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for below, above in zip(bottom, top, strict=True):
            above.reshape(*below.shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for below, above in zip(bottom, top, strict=True):
            above.share_data(below)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for below, above, wanted in zip(bottom, top, propagate_down, strict=True):
            if wanted:
                np.copyto(below.diff, above.diff)
