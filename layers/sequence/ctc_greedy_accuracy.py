"""CTCGreedyAccuracy: what caffe_ocr's CTCGreedyDecoder is, with labels for its second bottom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.layers.sequence.ctc import greedy
from caffe_compat.layers.sequence.sequence_accuracy import edits


@register("CTCGreedyAccuracy")
class CTCGreedyAccuracy(Layer):
    """How right the labels are that the best classes of steps show, one of equal ones on end (ctc_merge_repeated).

    bottom[0]: scores, T x N x C; bottom[1]: the right labels, N x L, which a negative one ends, and of which blanks do
    not count. blank_index: the blank, -1 for the last class. top[0], 1 x 2 x 1 x 1: 1 minus the mean, over sequences,
    of the fewest edits divided by the length of the longer of both; and the share of the sequences that are right and
    not empty. Forward only. Raises LayerError for shapes that do not fit.
    Source: CTCGreedyDecoderLayer of senlinuc/caffe_ocr with two bottoms and one top: --dialect caffe-ocr makes this
    type of it.
    """

    reads = ("ctc_decoder_param",)
    origin = "caffe_ocr"
    bottom_count = (2, 2)
    no_gradient = (0, 1)
    has_backward = False

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, labels = bottom[0].shape, bottom[1].shape
        if len(shape) not in (3, 4) or shape[3:] not in ((), (1,)) or not bottom[0].count:
            raise self.error(f"bottom[0] has the shape {shape}, expected T x N x C")
        if len(labels) < 2 or labels[0] != shape[1]:
            raise self.error(f"bottom[1] has the shape {labels}, expected {shape[1]} x L labels")
        top[0].reshape(1, 2, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, (steps, streams, classes) = self.layer_param.ctc_decoder_param, bottom[0].shape[:3]
        scores = bottom[0].data.reshape(steps, streams, classes)
        blank = param.blank_index if param.blank_index >= 0 else classes - 1
        wrong, right = 0.0, 0
        for n, row in enumerate(bottom[1].data.reshape(streams, -1)):
            ends = np.flatnonzero(row < 0)
            wanted = (row[: ends[0] if ends.size else row.size] + 0.5).astype(int).tolist()
            wanted = [label for label in wanted if label != blank]
            read = greedy(scores[:, n], blank, param.ctc_merge_repeated)
            if read or wanted:
                distance, _ = edits(read, wanted)
                wrong += distance / max(len(read), len(wanted))
                right += not distance
        top[0].data.flat[:] = 1 - wrong / streams, right / streams
