"""MatrixProd and Similarity: products of two bottoms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("MatrixProd")
class MatrixProd(Layer):
    """The matrix product of each pair: bottom[0] B x K x M, bottom[1] B x M x N, top B x K x N.

    bottom[0] may also be 1 x B x M, one row for each matrix; the top is 1 x B x N then. Raises LayerError for other
    shapes. Source: MatrixProdLayer of Ask, Attend and Answer (VisionLearningGroup); Xu and Saenko (2016).
    """

    reads = ()
    origin = "VisionLearningGroup"
    bottom_count = (2, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        left, right = (blob.shape for blob in bottom)
        rows = left[:2] if left[:1] != (1,) else left[1::-1]
        if len(left) != 3 or len(right) != 3 or left[2] != right[1] or rows[0] != right[0]:
            raise self.error(
                f"the bottoms have the shapes {left} and {right}; expected B x K x M, or 1 x B x M, and B x M x N"
            )
        self.view = rows
        top[0].reshape(*left[:2], right[2])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.matmul(self._rows(bottom[0].data), bottom[1].data, out=self._rows(top[0].data))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        diff, left = self._rows(top[0].diff), self._rows(bottom[0].data)
        if propagate_down[0]:
            np.matmul(diff, bottom[1].data.swapaxes(1, 2), out=self._rows(bottom[0].diff))
        if propagate_down[1]:
            np.matmul(left.swapaxes(1, 2), diff, out=bottom[1].diff)

    def _rows(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(*self.view, array.shape[2])


@register("Similarity")
class Similarity(Layer):
    """The scalar product of each example with each prototype: bottom[0] M x ..., bottom[1] N x ..., top M x N.

    Both take a gradient. Raises LayerError where they have not as many numbers each. Source: SimilarityLayer of
    Qi-Xian's DeViSE; Frome et al., DeViSE (2013).
    """

    reads = ()
    origin = "Qi-Xian"
    bottom_count = (2, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [blob.shape for blob in bottom]
        if min(map(len, shapes)) < 2 or math.prod(shapes[0][1:]) != math.prod(shapes[1][1:]):
            raise self.error(
                f"the bottoms have the shapes {shapes}; expected M x ... and N x ..., of one size"
            )
        top[0].reshape(shapes[0][0], shapes[1][0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        left, right = (_rows(blob.data) for blob in bottom)
        np.matmul(left, right.T, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, other, diff, wanted in zip(
            bottom, bottom[::-1], (top[0].diff, top[0].diff.T), propagate_down, strict=True
        ):
            if wanted:
                np.matmul(diff, _rows(other.data), out=_rows(blob.diff))


def _rows(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), math.prod(array.shape[1:]))
