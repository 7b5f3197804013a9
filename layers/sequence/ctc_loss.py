"""CTCLoss, of ChWick's Caffe."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.common.loss import LossLayer
from caffe_compat.layers.registry import register
from caffe_compat.layers.sequence.ctc import log_softmax, loss_and_occupancy
from caffe_compat.layers.sequence.indicators import check_sequences, lengths


@register("CTCLoss")
class CTCLoss(LossLayer):
    """-log of the probability that scores show labels in their order, averaged over the sequences.

    bottom[0]: scores before the softmax, T x N x C; bottom[1]: T x N, a 0 behind the first row ends a sequence;
    bottom[2]: labels, T x N, whole numbers; a negative one, the blank or what is no class ends them. blank_index: the
    blank, -1 for the last class. output_delay: so many of the first steps show nothing. preprocess_collapse_repeated:
    of equal labels on end one counts. ctc_merge_repeated: false takes a label for as many as it is shown in steps on
    end. loss_calculation_t changes nothing.

    As in the original the gradient is that of the sum over the sequences, and knows no loss weight. Raises LayerError
    for shapes that do not fit, and for more labels than steps.

    Source: CTCLossLayer of ChWick's fork of Caffe, and of TextBoxes++ (MhLiao/TextBoxes_plusplus).
    """

    reads = ("ctc_loss_param",)
    origin = "ChWick's"
    bottom_count = (3, 3)
    no_gradient = (1, 2)
    without_effect = ("ctc_loss_param.loss_calculation_t",)
    refused = {
        f"ctc_loss_param.{field}": "it is for type CtcLoss; CTCLoss has blank_index, and T and C of its bottom"
        for field in ("alphabet_size", "time_step", "blank_label")
    }

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_sequences(self, bottom)
        blank = self.layer_param.ctc_loss_param.blank_index
        classes = bottom[0].shape[2]
        if blank >= classes:
            raise self.error(f"blank_index is {blank}, bottom[0] has {classes} classes")
        delay = self.layer_param.ctc_loss_param.output_delay
        if delay < 0:
            raise self.error(f"output_delay is {delay}; it must be at least 0")
        self.blank = blank if blank >= 0 else classes - 1
        top[0].reshape()

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.ctc_loss_param
        steps, streams, classes = bottom[0].shape[:3]
        log_y = log_softmax(bottom[0].data.reshape(steps, streams, classes))
        self.gradient = np.zeros(bottom[0].shape)
        loss = 0.0
        for n, end in enumerate(lengths(bottom[1].data.reshape(steps, streams))):
            labels = self._labels(bottom[2].data.reshape(steps, streams)[:, n], n, classes)
            begin = param.output_delay
            if not labels or len(labels) > end - begin:
                raise self.error(
                    f"sequence {n} has {len(labels)} labels and {end - begin} steps; give each at least one label, and "
                    "no more than steps"
                )
            shown = log_y[begin:end, n]
            cost, occupancy = loss_and_occupancy(shown, labels, self.blank, param.ctc_merge_repeated)
            loss += cost
            self.gradient.reshape(log_y.shape)[begin:end, n] = np.exp(shown) - occupancy
        top[0].data[...] = loss / streams

    def _labels(self, column: np.ndarray, n: int, classes: int) -> list[int]:
        labels: list[int] = []
        ended = False
        for i, value in enumerate(column.tolist()):
            if not value >= 0:
                break
            if i and self.layer_param.ctc_loss_param.preprocess_collapse_repeated and value == column[i - 1]:
                continue
            label = cut_off(value + 0.5)
            if label >= classes or label == self.blank:
                ended = True
            elif ended:
                raise self.error(f"sequence {n}: label {label} stands behind the end of the labels")
            else:
                labels.append(label)
        return labels

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = self.gradient
