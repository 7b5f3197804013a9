"""The labels that the best classes of steps show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.layers.sequence.ctc import greedy_rows
from caffe_compat.layers.sequence.indicators import check_sequences, lengths


@register("CTCGreedyDecoder")
class CTCGreedyDecoder(Layer):
    """Takes the best class of each step, one of equal ones on end (ctc_merge_repeated), and leaves the blank out.

    bottom[0]: scores, T x N x C; bottom[1], if there is one: T x N, a 0 behind the first row ends a sequence, and
    without it all T steps count; bottom[2], if there is one: the right labels, T x N, a negative one ends them.
    blank_index: the blank, -1 for the last class. top[0]: the labels, N x T x 1 x 1, -1 behind their end. Then, with
    two bottoms, perhaps the scores, N x 1 x 1 x 1: minus the sum of the best classes'. With three bottoms perhaps the
    accuracy, 1 x 1 x 1 x 1, or the scores and the accuracy: the share of the sequences that begin with all the right
    labels. Forward only.

    Raises LayerError for shapes that do not fit.
    Source: CTCGreedyDecoderLayer of OpenVINO's training_toolbox_caffe, after ChWick's, whose top[0] is T x N; one
    bottom is caffe_ocr's.
    """

    reads = ("ctc_decoder_param",)
    origin = "ChWick's"
    bottom_count = (1, 3)
    top_count = (1, 3)
    no_gradient = (0, 1, 2)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(top) > 1 and len(bottom) == 1:
            raise self.error("with one bottom there is one top, the labels")
        if len(top) > len(bottom):
            raise self.error("the accuracy needs a third bottom, the right labels")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_sequences(self, bottom)
        steps, streams, classes = bottom[0].shape[:3]
        blank = self.layer_param.ctc_decoder_param.blank_index
        self.blank = blank if blank >= 0 else classes - 1
        top[0].reshape(streams, steps, 1, 1)
        for i, blob in enumerate(top[1:], 1):
            blob.reshape(1 if self._is_accuracy(i, bottom, top) else streams, 1, 1, 1)

    @staticmethod
    def _is_accuracy(i: int, bottom: Sequence[Blob], top: Sequence[Blob]) -> bool:
        return len(bottom) == 3 and i == len(top) - 1

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        steps, streams, classes = bottom[0].shape[:3]
        scores = bottom[0].data.reshape(steps, streams, classes)
        ends = lengths(bottom[1].data.reshape(steps, streams)) if len(bottom) > 1 else [steps] * streams
        merge = self.layer_param.ctc_decoder_param.ctc_merge_repeated
        decoded = top[0].data.reshape(streams, steps)
        greedy_rows(scores, ends, self.blank, merge, decoded)
        for i, blob in enumerate(top[1:], 1):
            if self._is_accuracy(i, bottom, top):
                right = map(_right_labels, bottom[2].data.reshape(steps, streams).T)
                hits = [
                    row[row >= 0][: len(want)].tolist() == want
                    for row, want in zip(decoded, right, strict=True)
                ]
                blob.data[...] = np.mean(hits)
            else:
                best = scores.max(axis=2)
                blob.data[:, 0, 0, 0] = [-best[:end, n].sum() for n, end in enumerate(ends)]


def _right_labels(column: np.ndarray) -> list[int]:
    ends = np.flatnonzero(~(column >= 0))
    return (column[: ends[0] if len(ends) else None] + 0.5).astype(int).tolist()
