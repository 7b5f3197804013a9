"""Accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.common.loss import check_label_count, class_labels, ignored_label
from caffe_compat.layers.registry import register


@register("Accuracy")
class Accuracy(Layer):
    """The share of labels that are among the accuracy_param.top_k best predictions.

    bottom[0]: predictions with the classes on accuracy_param.axis; bottom[1]: one whole label for each
    example and place. top[0]: a scalar; top[1], if wanted: the share for each class (classes,), 0 where there
    is none. Labels equal to ignore_label do not count; without any other label the accuracy is 0. A class
    that scores the same as the label counts as better, and so does NaN. With min_is_better, happynear's, predictions
    are distances, of which the least is the best. Forward only.
    Source: Caffe's AccuracyLayer, as it is since 2017; before, the greater class won a tie.
    """

    reads = ("accuracy_param",)
    bottom_count = (2, 2)
    top_count = (1, 2)
    no_gradient = (1,)
    has_backward = False

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        axis = canonical_axis(self, self.layer_param.accuracy_param.axis, bottom[0])
        self.view = check_label_count(self, bottom, axis)
        classes, top_k = self.view[1], self.layer_param.accuracy_param.top_k
        if not 1 <= top_k <= classes:
            raise self.error(f"accuracy_param.top_k is {top_k}; it must be from 1 to the {classes} classes")
        top[0].reshape()
        if len(top) > 1:
            top[1].reshape(classes)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        outer, classes, inner = self.view
        param = self.layer_param.accuracy_param
        labels = class_labels(self, bottom[1], classes, ignored_label(param))
        scores = bottom[0].data.reshape(self.view)
        if param.min_is_better:
            scores = -scores
        rows = np.maximum(labels, 0).reshape(outer, 1, inner)
        better = np.count_nonzero(~(scores < np.take_along_axis(scores, rows, axis=1)), axis=1) - 1
        right = labels[(labels >= 0) & (better.ravel() < param.top_k)]
        counts = np.bincount(labels[labels >= 0], minlength=classes)
        top[0].data[...] = right.size / max(1, counts.sum())
        if len(top) > 1:
            top[1].data[...] = np.bincount(right, minlength=classes) / np.maximum(1, counts)
