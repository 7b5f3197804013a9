"""How many sequences are read without a mistake, and how many mistakes there are in the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.layers.sequence.ctc import greedy


@register("SequenceAccuracy")
class SequenceAccuracy(Layer):
    """Compares labels that were read with the right ones.

    bottom[0]: labels that were read, N x P; bottom[1]: the right ones, N x G; a negative label ends a sequence. Or
    bottom[0]: scores, N x T x C, which show the best class of each step, equal ones on end once; then the blank_label
    of Sequence_accuracy_param does not count in either. top[0]: the share of sequences that are
    equal, a scalar. top[1], if wanted: the means of the edit distance, of the right length and of the length that was
    read, 3 numbers. top[2], if wanted: the mean of how many labels are right on the way of the fewest edits, a scalar.
    Forward only. Raises LayerError for shapes that do not fit.
    Source: SequenceAccuracyLayer of hzli-ucas's fork of Caffe; with scores, the one of that name that LPAIS's
    HDSR-with-RNN uses, after LabelsequenceAccuracy.
    """

    reads = ("Sequence_accuracy_param",)
    origin = "hzli-ucas's"
    bottom_count = (2, 2)
    top_count = (1, 3)
    no_gradient = (0, 1)
    has_backward = False

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [blob.shape for blob in bottom]
        self._has_scores = len(shapes[0]) == 3 and shapes[0][2] > 1
        labels = shapes[1:] if self._has_scores else shapes
        if (
            any(len(shape) < 2 or set(shape[2:]) - {1} for shape in labels)
            or shapes[0][0] != shapes[1][0]
            or bottom[0].count == 0
        ):
            raise self.error(
                f"the bottoms have the shapes {shapes}, expected N x P labels or N x T x C scores, and N x G labels"
            )
        for blob, shape in zip(top, ((), (3,), ()), strict=False):
            blob.reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        read, right = ([_until_negative(row.reshape(-1)) for row in blob.data] for blob in bottom)
        if self._has_scores:
            blank = self.layer_param.Sequence_accuracy_param.blank_label
            read = [greedy(scores, blank) for scores in bottom[0].data]
            right = [[label for label in row if label != blank] for row in right]
        pairs = list(zip(read, right, strict=True))
        top[0].data[...] = np.mean([a == b for a, b in pairs])
        if len(top) > 1:
            found = [edits(a, b) for a, b in pairs]
            counts = [(distance, len(b), len(a)) for (distance, _), (a, b) in zip(found, pairs, strict=True)]
            top[1].data[...] = np.mean(counts, axis=0)
        if len(top) > 2:
            top[2].data[...] = np.mean([same for _, same in found])


def _until_negative(row: np.ndarray) -> list:
    ends = np.flatnonzero(row < 0)
    return row[: ends[0] if len(ends) else None].tolist()


def edits(read: list, right: list) -> tuple[int, int]:
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
