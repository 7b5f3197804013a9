"""ConvertIndices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.attention_mask.places import check_list
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("ConvertIndices")
class ConvertIndices(Layer):
    """Flags of some places, and what a list has there.

    bottom[0]: 1 x 1 x 1 x K places; bottom[1]: 1 x 1 x 1 x N numbers. top[0]: 1 x 1 x 1 x N, 1 at those places, else
    0; top[1]: K x 1 x 1 x 1, the numbers there. Nothing takes a gradient. Raises LayerError for other shapes, and what
    is no place.
    Source: ConvertIndicesLayer of chwilms/AttentionMask.
    """

    reads = ()
    origin = "AttentionMask"
    bottom_count = (2, 2)
    top_count = (2, 2)
    no_gradient = (0, 1)
    has_backward = False

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[1].reshape(check_list(self, bottom[0], "bottom[0]"), 1, 1, 1)
        top[0].reshape(1, 1, 1, check_list(self, bottom[1], "bottom[1]"))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        given, values = bottom[0].data.ravel(), bottom[1].data.ravel()
        wrong = np.flatnonzero(~((given > -1) & (given < len(values))))
        if wrong.size:
            raise self.error(
                f"bottom[0] has {given[wrong[0]]:g}; expected a place from 0 to {len(values) - 1}"
            )
        places = given.astype(int)
        top[0].data[...] = 0
        top[0].data[0, 0, 0, places] = 1
        top[1].data[:, 0, 0, 0] = values[places]
