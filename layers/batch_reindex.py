"""Items of a batch in another order, left out or repeated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("BatchReindex")
class BatchReindex(Layer):
    """top[i] = bottom[0][bottom[1][i]].

    bottoms: N x ...; K indices from 0 to N - 1, which take no gradient. top: K x .... Raises LayerError for an
    index out of range, or indices of other than one axis.

    Source: Caffe's BatchReindexLayer.
    """

    reads = ()
    bottom_count = (2, 2)
    no_gradient = (1,)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom[1].shape) != 1 or not bottom[0].shape:
            raise self.error(
                f"the bottoms have the shapes {bottom[0].shape} and {bottom[1].shape}, expected N x ... and K indices"
            )
        top[0].reshape(*bottom[1].shape, *bottom[0].shape[1:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        indices, batch = bottom[1].data, bottom[0].shape[0]
        wrong = ~((indices >= 0) & (indices < batch))
        if wrong.any():
            raise self.error(f"index {indices[wrong][0]:g} is out of range for a batch of {batch}")
        np.take(bottom[0].data, indices.astype(np.intp), axis=0, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        diff = bottom[0].diff
        diff[...] = 0
        np.add.at(diff, bottom[1].data.astype(np.intp), top[0].diff)
