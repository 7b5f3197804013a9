"""LabeledMatching."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.learnable import count_of
from caffe_compat.layers.metric.matching import Matching
from caffe_compat.layers.registry import register


@register("LabeledMatching")
class LabeledMatching(Matching):
    """Scores of features with the one that is kept of each class; backward moves those of the batch's classes.

    bottom[0]: N x ... features, K numbers each; bottom[1]: a label for each. top[0]: N x num_classes scores; top[1]:
    the labels, in their shape, -1 for those that are no class. params: features num_classes x K; for each class, how
    many backward passes ago it had an example: num_classes. Both start at 0, have no gradient, and are moved by
    `backward` unless lr_mult is 0: w = momentum w + (1 - momentum) x, of several examples of a class one after the
    other. Raises LayerError for shapes that do not agree.

    Source: LabeledMatchingLayer of Cysu's Caffe (faster-rcnn); Xiao et al., Joint Detection and Identification Feature
    Learning for Person Search (2017), section 3.2.
    """

    reads = ("labeled_matching_param",)
    top_count = (2, 2)
    param_axes = (("class", "input"), ("class",))

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.labeled_matching_param
        self.classes = count_of(self, param, "num_classes")
        self._set_up(bottom, self.classes, (self.classes,))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        top[1].reshape(*bottom[1].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().forward(bottom, top)
        labels = bottom[1].data
        top[1].data[...] = np.where(self._are_classes(np.trunc(labels)), labels, -1)

    def _are_classes(self, labels: np.ndarray) -> np.ndarray:
        result: np.ndarray = (labels >= 0) & (labels < self.classes)
        return result

    def _keep(self, features: np.ndarray, labels: np.ndarray) -> None:
        rows = np.flatnonzero(self._are_classes(labels))
        classes = labels[rows].astype(int)
        if self.propagates_to(0):
            kept = self.blobs[0].data
            momentum = kept.dtype.type(self.layer_param.labeled_matching_param.momentum)
            for row, label in zip(rows, classes, strict=True):
                kept[label] = momentum * kept[label] + (1 - momentum) * features[row]
        if self.propagates_to(1):
            self.blobs[1].data[...] += 1
            self.blobs[1].data[classes] = 0
