"""ArgMaxMy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.attention_mask.places import check_list
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.registry import register


@register("ArgMaxMy")
class ArgMaxMy(Layer):
    """Where the greatest chances are: as many as are above those of having no attention.

    bottom[0], bottom[1]: 1 x 1 x 1 x N chances that a place has attention, and that it has none. With argmax_param.axis
    (-1 or 3), top: 1 x 1 x 1 x K, the places, the greatest chance first, and of equal ones the last place; with
    out_max_val the chances. Without it 1 x 1 x K x 1, or 1 x 2 x K x 1: the places, then the chances. K: at how many
    places bottom[0] is above bottom[1], whatever top_k says. Nothing takes a gradient. Raises LayerError for other
    shapes and axes.
    Source: ArgMaxMyLayer of chwilms/AttentionMask (argmax_layer_2.cpp).
    """

    reads = ("argmax_param",)
    origin = "AttentionMask"
    without_effect = ("argmax_param.top_k",)
    bottom_count = (2, 2)
    no_gradient = (0, 1)
    has_backward = False
    counts_rows = True

    fewest = 0

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.argmax_param
        self.along = self.param.HasField("axis")
        if self.along and canonical_axis(self, self.param.axis, bottom[0]) != 3:
            raise self.error(f"axis is {self.param.axis}; expected 3, that of the places, or -1")
        self.row_axis = 3 if self.along else 2
        self._shape(top, self.fewest)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many places there are is known after forward."""
        places = [check_list(self, blob, f"bottom[{i}]") for i, blob in enumerate(bottom)]
        if places[0] != places[1]:
            raise self.error(f"bottom[0] has {places[0]} places, bottom[1] {places[1]}")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        chances, none = (blob.data.ravel() for blob in bottom)
        count = max(int(np.count_nonzero(chances > none)), self.fewest)
        if len(chances) < count:
            raise self.error(
                f"there are {len(chances)} places, of which {count} are taken; make the image larger"
            )
        backwards = np.arange(len(chances))[::-1]
        order = backwards[np.argsort(-chances[backwards], kind="stable")][:count]
        self._shape(top, count)
        if self.along:
            top[0].data[...] = chances[order] if self.param.out_max_val else order
            return
        for row, values in zip(top[0].data[0], (order, chances[order]), strict=False):
            row[:, 0] = values

    def _shape(self, top: Sequence[Blob], count: int) -> None:
        top[0].reshape(*((1, 1, 1, count) if self.along else (1, 1 + self.param.out_max_val, count, 1)))
