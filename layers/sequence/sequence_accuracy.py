"""How many sequences are read without a mistake, and how many mistakes there are in the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("SequenceAccuracy")
class SequenceAccuracy(Layer):
    """Compares labels that were read with the right ones; a negative label ends a sequence.

    bottom[0]: labels that were read, N x P; bottom[1]: the right ones, N x G. top[0]: the share of sequences that are
    equal, a scalar. top[1], if wanted: the means of the edit distance, of the right length and of the length that was
    read, 3 numbers. top[2], if wanted: the mean of how many labels are right on the way of the fewest edits, a scalar.
    Forward only. Raises LayerError for shapes that do not fit.
    Source: SequenceAccuracyLayer of hzli-ucas's fork of Caffe.
    """

    reads = ()
    origin = "hzli-ucas's"
    bottom_count = (2, 2)
    top_count = (1, 3)
    no_gradient = (0, 1)
    has_backward = False

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [blob.shape for blob in bottom]
        if any(len(shape) < 2 or shape[0] < 1 or set(shape[2:]) - {1} for shape in shapes) or (
            shapes[0][0] != shapes[1][0]
        ):
            raise self.error(f"the bottoms have the shapes {shapes}, expected N x P and N x G labels")
        for blob, shape in zip(top, ((), (3,), ()), strict=False):
            blob.reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        read, right = ([_until_negative(row.reshape(-1)) for row in blob.data] for blob in bottom)
        pairs = list(zip(read, right, strict=True))
        top[0].data[...] = np.mean([a == b for a, b in pairs])
        if len(top) > 1:
            edits = [_edits(a, b) for a, b in pairs]
            counts = [(distance, len(b), len(a)) for (distance, _), (a, b) in zip(edits, pairs, strict=True)]
            top[1].data[...] = np.mean(counts, axis=0)
        if len(top) > 2:
            top[2].data[...] = np.mean([same for _, same in edits])


def _until_negative(row: np.ndarray) -> list[float]:
    ends = np.flatnonzero(row < 0)
    return row[: ends[0] if len(ends) else None].tolist()


def _edits(read: list[float], right: list[float]) -> tuple[int, int]:
    """The edit distance, and how many labels are equal on the way back that the original takes."""
    shorter = min(len(read), len(right))
    if read[:shorter] == right[:shorter]:
        return max(len(read), len(right)) - shorter, shorter
    distance = np.add.outer(np.arange(len(read) + 1), np.arange(len(right) + 1)).tolist()
    for i, a in enumerate(read, 1):
        for j, b in enumerate(right, 1):
            distance[i][j] = min(
                distance[i - 1][j] + 1, distance[i][j - 1] + 1, distance[i - 1][j - 1] + (a != b)
            )
    i, j, same = len(read), len(right), 0
    while i and j:
        diagonal = distance[i - 1][j - 1] + (read[i - 1] != right[j - 1])
        above, left = distance[i - 1][j] + 1, distance[i][j - 1] + 1
        if diagonal < min(above, left):
            same += read[i - 1] == right[j - 1]
            i, j = i - 1, j - 1
        elif above < left and above <= diagonal:
            i -= 1
        else:
            j -= 1
    return distance[-1][-1], same
