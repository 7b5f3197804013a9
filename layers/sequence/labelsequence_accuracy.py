"""How many sequences are read without a mistake, from the scores of their steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.registry import register
from caffe_compat.layers.sequence.ctc import greedy


@register("LabelsequenceAccuracy")
class LabelsequenceAccuracy(Layer):
    """The share of sequences whose steps show the right labels: the best class of each, equal ones on end once.

    bottom[0]: scores, N x T x C; bottom[1]: labels, N x L; those that are blank_label do not count. top: a scalar.
    Forward only. Raises LayerError for shapes that do not fit.
    Source: LabelsequenceAccuracyLayer of dlunion's CC4.0.
    """

    reads = ("labelsequence_accuracy_param",)
    origin = "warp-ctc's"
    bottom_count = (2, 2)
    no_gradient = (0, 1)
    has_backward = False

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 3 or bottom[0].count == 0 or bottom[1].num != shape[0]:
            raise self.error(
                f"the bottoms have the shapes {shape} and {bottom[1].shape}, expected N x T x classes and N x L"
            )
        top[0].reshape()

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        blank = self.layer_param.labelsequence_accuracy_param.blank_label
        labels = bottom[1].data.reshape(bottom[1].num, -1)
        hits = [
            greedy(scores, blank) == [cut_off(label) for label in row if label != blank]
            for scores, row in zip(bottom[0].data, labels.tolist(), strict=True)
        ]
        top[0].data[...] = np.mean(hits)
