"""WarpCTCLoss."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, class_labels
from caffe_compat.layers.registry import register
from caffe_compat.layers.sequence.ctc import log_softmax, loss_and_occupancy
from caffe_compat.layers.sequence.indicators import check_sequences, lengths

Sequences = list[tuple[int, list[int]]]


@register("WarpCTCLoss")
class WarpCTCLoss(LossLayer):
    """-log of the probability that scores show labels in their order, averaged over the sequences.

    bottom[0]: scores before the softmax, T x N x C. Then one of
    - labels, N x L, of which those that are the blank do not count; all T steps count;
    - T x N, where a 0 behind the first row ends a sequence, and labels, T x N, which a negative one ends;
    - N numbers of steps, N numbers of labels, and labels, L x N.
    ctc_loss_param.blank_index: the blank, 0 where it is not given. A sequence whose labels need more steps than it has
    costs 0, and has no gradient; so does, in the second form, one without labels.

    As in the original the gradient is that of the sum over the sequences, and knows no loss weight. Raises LayerError
    for shapes that do not fit, more labels than steps, and labels that are no class.

    Source: WarpCTCLossLayer of ChWick's Caffe, with Baidu's warp-ctc; the first form after those of caffe_ocr (in
    the second these add 1 to each label where the blank is 0; ChWick's does not).
    """

    reads = ("ctc_loss_param",)
    origin = "ChWick's, caffe_ocr"
    bottom_count = (2, 4)
    no_gradient = (1, 2, 3)
    refused = {
        f"ctc_loss_param.{field}": "WarpCTCLoss has blank_index only"
        for field in (
            "alphabet_size",
            "time_step",
            "blank_label",
            "output_delay",
            "preprocess_collapse_repeated",
            "ctc_merge_repeated",
            "loss_calculation_t",
        )
    }

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.ctc_loss_param, bottom[0].shape
        if len(bottom) == 3:
            check_sequences(self, bottom)
        elif len(shape) not in (3, 4) or shape[3:] not in ((), (1,)) or not bottom[0].count:
            raise self.error(f"bottom[0] has the shape {shape}, expected T x N x C")
        self.steps, self.streams, self.classes = shape[:3]
        self.blank = param.blank_index if param.HasField("blank_index") else 0
        if not 0 <= self.blank < self.classes:
            raise self.error(f"blank_index is {self.blank}; it must be from 0 to {self.classes - 1}")
        if len(bottom) == 2 and bottom[1].num != self.streams:
            raise self.error(f"bottom[1] has the shape {bottom[1].shape}, expected {self.streams} x L labels")
        if len(bottom) == 4:
            counts, labels = [blob.count for blob in bottom[1:3]], bottom[3].shape
            if counts != [self.streams] * 2 or len(labels) < 2 or labels[1] != self.streams:
                raise self.error(
                    f"the bottoms have the shapes {[blob.shape for blob in bottom]}; expected T x N x C, N steps, N "
                    "numbers of labels, and labels L x N"
                )
        top[0].reshape()

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        log_y = log_softmax(bottom[0].data.reshape(self.steps, self.streams, self.classes))
        self.gradient = np.zeros(log_y.shape)
        losses = np.zeros(self.streams)
        read = {2: self._of_labels, 3: self._of_indicators, 4: self._of_lengths}[len(bottom)]
        for n, (end, labels) in enumerate(read(bottom)):
            repeats = sum(a == b for a, b in itertools.pairwise(labels))
            if end and len(labels) + repeats <= end:
                losses[n], occupancy = loss_and_occupancy(log_y[:end, n], labels, self.blank)
                self.gradient[:end, n] = np.exp(log_y[:end, n]) - occupancy
        possible = losses[np.isfinite(losses)]
        top[0].data[...] = possible.mean() if possible.size else np.nan

    def _of_labels(self, bottom: Sequence[Blob]) -> Sequences:
        rows = class_labels(self, bottom[1], self.classes).reshape(self.streams, -1)
        return [(self.steps, row[row != self.blank].tolist()) for row in rows]

    def _of_indicators(self, bottom: Sequence[Blob]) -> Sequences:
        going, labels = (blob.data.reshape(self.steps, self.streams) for blob in bottom[1:])
        result = []
        for n, end in enumerate(lengths(going)):
            ends = np.flatnonzero(labels[:, n] < 0)
            shown = labels[: ends[0] if ends.size else self.steps, n]
            if not shown.size:
                if end > 1:
                    raise self.error(f"sequence {n} has {end} steps and no label; give it at most one step")
                end = 0
            result.append((end, self._classes(n, shown, end)))
        return result

    def _of_lengths(self, bottom: Sequence[Blob]) -> Sequences:
        steps, counts = (blob.data.ravel().astype(np.int64) for blob in bottom[1:3])
        labels = bottom[3].data.reshape(bottom[3].num, self.streams, -1)[:, :, 0]
        for name, values, most in (("steps", steps, self.steps), ("labels", counts, len(labels))):
            if not ((values >= 0) & (values <= most)).all():
                raise self.error(f"the numbers of {name} are {values.tolist()}; expected 0 to {most}")
        return [
            (int(end), self._classes(n, labels[:count, n], int(end)))
            for n, (end, count) in enumerate(zip(steps, counts, strict=True))
        ]

    def _classes(self, n: int, values: np.ndarray, steps: int) -> list[int]:
        labels = np.floor(values + 0.5)
        if not ((labels >= 0) & (labels < self.classes)).all():
            raise self.error(
                f"sequence {n} has the labels {values.tolist()}; classes are 0 to {self.classes - 1}"
            )
        if len(labels) > steps:
            raise self.error(f"sequence {n} has {len(labels)} labels and {steps} steps; give at most as many")
        return labels.astype(int).tolist()

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = self.gradient.reshape(bottom[0].shape)
