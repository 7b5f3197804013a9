"""SplitIndices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.attention_mask.places import check_list
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("SplitIndices")
class SplitIndices(Layer):
    """Cuts a list of places into lists as long as the other bottoms are.

    bottom[0]: 1 x 1 x 1 x N; bottom[1], ...: 1 x 1 x 1 x n_i, whose shapes alone count, N together. tops, one for each
    of these: 1 x 1 x 1 x n_i. Nothing takes a gradient. Raises LayerError for lengths and numbers that do not agree.
    Source: SplitIndicesLayer of chwilms/AttentionMask.
    """

    reads = ()
    origin = "AttentionMask"
    bottom_count = (2, None)
    top_count = (1, None)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.no_gradient = tuple(range(len(bottom)))
        if len(top) != len(bottom) - 1:
            raise self.error(
                f"there are {len(bottom)} bottoms and {len(top)} tops; it needs a top for each bottom but the first"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        count, *sizes = (check_list(self, blob, f"bottom[{i}]") for i, blob in enumerate(bottom))
        if sum(sizes) != count:
            raise self.error(f"bottom[0] has {count} places, the others {sizes}: {sum(sizes)} together")
        for blob, size in zip(top, sizes, strict=True):
            blob.reshape(1, 1, 1, size)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        ends = np.cumsum([blob.count for blob in top])[:-1]
        for blob, values in zip(top, np.split(bottom[0].data.ravel(), ends), strict=True):
            blob.data[...] = values
