"""Only the items that a selector picks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Filter")
class Filter(Layer):
    """Each top has those items of its bottom for which the last bottom, the selector, is not 0.

    bottoms: any shapes of the same first dim N, one top each; then the selector, N (x 1 ...), which takes no
    gradient. tops: K x ..., K known in forward only: until then the tops have room for all N items. Items that
    are left out get the gradient 0. With K = 0 the tops are empty, and the gradient is 0 (Caffe divides by 0).
    Raises LayerError where the numbers of tops or the shapes do not fit.

    Source: Caffe's FilterLayer.
    """

    reads = ()
    bottom_count = (2, None)
    top_count = (1, None)
    counts_rows = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(top) != len(bottom) - 1:
            raise self.error(
                f"has {len(top)} tops, expected one for each bottom but the last: {len(bottom) - 1}"
            )
        self.no_gradient = (len(top),)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        selector = bottom[-1]
        if not selector.shape or selector.count != selector.shape[0]:
            raise self.error(f"the selector has the shape {selector.shape}, expected N: one number an item")
        for below, above in zip(bottom, top, strict=False):
            if below.shape[:1] != selector.shape[:1]:
                raise self.error(
                    f"a bottom has the shape {below.shape}, the selector {selector.shape}; "
                    "their first dims must be equal"
                )
            above.reshape(*below.shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._kept = np.flatnonzero(bottom[-1].data)
        for below, above in zip(bottom, top, strict=False):
            above.reshape(len(self._kept), *below.shape[1:])
            np.take(below.data, self._kept, axis=0, out=above.data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for below, above, wanted in zip(bottom, top, propagate_down, strict=False):
            if wanted:
                below.diff[...] = 0
                below.diff[self._kept] = above.diff
