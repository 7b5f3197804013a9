"""SegAccuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.repetitions import check_pairs
from caffe_compat.layers.registry import register


@register("SegAccuracy")
class SegAccuracy(Layer):
    """Pixel accuracy, mean recall and mean Jaccard index of predicted classes, by a confusion matrix.

    bottom[0]: scores, N x C x H x W; of equal scores the greater class is predicted. bottom[1]: whole labels,
    N x 1 x H x W, 0 to C - 1, or among seg_accuracy_param.ignore_label, which do not count. top: 1 x 1 x 1 x 3. The
    mean recall is over the classes that occur; the Jaccard index (intersection over union) of a class that is neither
    a label nor predicted is 1. Without any label that counts, accuracy and recall are 0. The matrix is this forward's,
    or with reset: false that of all forwards so far. Forward only. Raises LayerError for any other label.

    Source: SegAccuracyLayer of DeepLab v2's and PSPNet's forks of Caffe.
    """

    reads = ("seg_accuracy_param",)
    without_effect = ("seg_accuracy_param.metric",)
    bottom_count = (2, 2)
    no_gradient = (1,)
    has_backward = False
    origin = "DeepLab, PSPNet"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.seg_accuracy_param
        self.ignored, self.resets = list(param.ignore_label), param.reset
        self.matrix = np.zeros((0, 0), np.int64)  # of label, prediction

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, labels = bottom[0].shape, bottom[1].shape
        if len(shape) != 4 or labels != (shape[0], 1, *shape[2:]) or not shape[1]:
            raise self.error(
                f"bottom[0] has the shape {shape} and bottom[1] {labels}; expected N x C x H x W and N x 1 x H x W"
            )
        classes = shape[1]
        if self.matrix.shape != (classes, classes):
            check_pairs(self, classes, "classes", bytes_each=16)
            self.matrix = np.zeros((classes, classes), np.int64)
        top[0].reshape(1, 1, 1, 3)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.resets:
            self.matrix[...] = 0
        classes = len(self.matrix)
        predicted = classes - 1 - np.argmax(bottom[0].data[:, ::-1], axis=1)
        labels, counted = self._labels(bottom[1])
        pairs = labels[counted] * classes + predicted.ravel()[counted]
        self.matrix += np.bincount(pairs, minlength=classes**2).reshape(self.matrix.shape)
        top[0].data[...] = self._scores()

    def _labels(self, blob: Blob) -> tuple[np.ndarray, np.ndarray]:
        """The labels, flat, and which of them count."""
        values = blob.data.ravel()
        with np.errstate(invalid="ignore"):  # NaN turns into some integer, and is found below
            labels = values.astype(np.int64)
        counted = ~np.isin(labels, self.ignored)
        wrong = counted & ~((values > -1) & (values < len(self.matrix)))
        if wrong.any():
            raise self.error(
                f"label {values[np.argmax(wrong)]:g} is no class; bottom[0] has classes 0 to {len(self.matrix) - 1}: "
                "correct the labels, or give it as an ignore_label"
            )
        return labels, counted

    def _scores(self) -> tuple[float, float, float]:
        right, labels, predictions = self.matrix.diagonal(), self.matrix.sum(1), self.matrix.sum(0)
        total, seen = labels.sum(), labels > 0
        union = labels + predictions - right
        recall = float((right[seen] / labels[seen]).mean()) if seen.any() else 0.0
        jaccard = np.where(union > 0, right / np.maximum(union, 1), 1).mean()
        return right.sum() / max(1, total), recall, jaccard

    def get_state(self) -> dict[str, np.ndarray]:
        return {} if self.resets else {"matrix": self.matrix.copy()}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.matrix = np.array(state["matrix"], np.int64)
