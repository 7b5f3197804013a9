"""TopK."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("TopK")
class TopK(Layer):
    """The rows with the best scores, in their order.

    bottom[0]: R x ...; bottom[1]: R scores, or R x S, of which the greatest but the first counts, 0 at least;
    bottom[2]: its first dim K alone counts. top[0]: min(K, R) x ...; with top[1], which says which rows these are,
    K x 1 x 1 x 1, it has K rows. Rows behind the last are 0 and -1. Only bottom[0] takes a gradient. Raises LayerError
    for other shapes.
    Source: TopKLayer of chwilms/AttentionMask, whose nets have no top[1]; with it that of FastMask's Caffe
    (voidrank/caffe-fm), whose nets have R >= K. They sort equal scores anyhow.
    """

    reads = ()
    origin = "AttentionMask"
    bottom_count = (3, 3)
    top_count = (1, 2)
    no_gradient = (1, 2)

    pads = False  # top[0] has K rows in any case

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [blob.shape for blob in bottom]
        if not all(shapes):
            raise self.error(
                f"the bottoms have the shapes {shapes}; expected rows, their scores, and so many rows"
            )
        rows, wanted = shapes[0][0], shapes[2][0]
        self.count = min(rows, wanted)
        top[0].reshape(wanted if self.pads or len(top) > 1 else self.count, *shapes[0][1:])
        for blob in top[1:]:
            blob.reshape(wanted, 1, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        # while a net is built, a Python layer may not know how many there are
        if bottom[1].num != bottom[0].num or (bottom[0].num and not bottom[1].count):
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}, its scores {bottom[1].shape}; expected one a row"
            )
        scores = bottom[1].data.reshape(bottom[1].num, math.prod(bottom[1].shape[1:]))
        best = np.maximum(scores[:, 1:].max(axis=1, initial=0), 0) if scores.shape[1] > 1 else scores.ravel()
        self.rows = np.sort(np.argsort(-best, kind="stable")[: self.count])
        top[0].data[: self.count] = bottom[0].data[self.rows]
        top[0].data[self.count :] = 0
        for blob in top[1:]:
            blob.data[...] = -1
            blob.data[: self.count, 0, 0, 0] = self.rows

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = 0
            bottom[0].diff[self.rows] = top[0].diff[: self.count]
