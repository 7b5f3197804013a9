"""PR."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.loss import check_equal_counts
from caffe_compat.layers.registry import register


@register("PR")
class PrecisionRecall(Layer):
    """Precision, recall, accuracy, true negative rate and F-measure of probabilities, five scalars.

    bottom[0]: probabilities, any shape; from precision_recall_param.thresh (0.5) on they are positive. bottom[1]: as
    many labels, 0 or another whole number; those equal to ignore_label do not count. A ratio of nothing is 0.
    Forward only. Raises LayerError when the bottoms' counts differ.

    Source: PRLayer of ctensmeyer's Caffe, where a ratio of nothing is NaN but for the F-measure's.
    """

    reads = ("precision_recall_param",)
    bottom_count = (2, 2)
    top_count = (5, 5)
    no_gradient = (1,)
    has_backward = False
    origin = "ctensmeyer"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_equal_counts(self, bottom)
        for blob in top:
            blob.reshape()

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.precision_recall_param
        label = np.trunc(bottom[1].data.ravel())
        counted = label != param.ignore_label if param.HasField("ignore_label") else slice(None)
        found = bottom[0].data.ravel()[counted] >= param.thresh
        true = label[counted] != 0
        right, missed = int((found & true).sum()), int((~found & true).sum())
        wrong, passed = int((found & ~true).sum()), int((~found & ~true).sum())
        precision, recall = _ratio(right, right + wrong), _ratio(right, right + missed)
        values = (
            precision,
            recall,
            _ratio(right + passed, found.size),
            _ratio(passed, wrong + passed),
            _ratio(2 * precision * recall, precision + recall),
        )
        for blob, value in zip(top, values, strict=True):
            blob.data[...] = value


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
