"""SoftmaxWithLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import canonical_axis
from caffe_compat.layers.common.loss import (
    NO_LABEL_WEIGHTS,
    LossLayer,
    check_label_count,
    class_labels,
    ignored_label,
    loss_weight,
    normalization_mode,
    normalizer,
)
from caffe_compat.layers.kernels import softmax as kernels
from caffe_compat.layers.registry import register

LEAST_PROBABILITY = np.finfo(np.float32).tiny  # C's FLT_MIN: no label costs more than 87.3365


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(LossLayer):
    """Multinomial logistic loss of the softmax of bottom[0] along softmax_param.axis.

    bottom[1]: one whole label (0 to classes - 1) for each example and place, in any shape of that count.
    top[0]: the loss, divided as loss_param.normalization says. top[1], if wanted: the probabilities, in the
    shape of bottom[0]. top[2], if wanted: what each label costs, not divided, 0 where it is ignored, in the shape of
    bottom[1]. No gradient is taken from these two. Labels equal to loss_param.ignore_label do not count. With
    loss_param.weight_by_label_freqs: true (of SegNet's) each label's loss is multiplied by that class_weighting which
    has its number; without any, as in early versions, divided by how often the label occurs.
    Raises LayerError for a label out of range, and for another number of weights than classes.
    Source: Caffe's SoftmaxWithLossLayer; top[2] of MS-CNN's fork, and of R-FCN's first one; the weights SegNet's.
    """

    reads: tuple[str, ...] = ("loss_param", "softmax_param")
    without_effect: tuple[str, ...] = ("softmax_param.normalize_type",)
    refused = NO_LABEL_WEIGHTS
    top_count = (1, 3)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        axis = canonical_axis(self, self.layer_param.softmax_param.axis, bottom[0])
        self.view = check_label_count(self, bottom, axis)
        if not hasattr(self, "prob"):
            self.prob = Blob((), bottom[0].dtype)
        self.prob.reshape(*self.view)
        if len(top) > 1:
            top[1].reshape(*bottom[0].shape)
        if len(top) > 2:
            top[2].reshape(*bottom[1].shape)
        param, classes = self.layer_param.loss_param, self.view[1]
        self.is_weighted = param.weight_by_label_freqs
        if self.is_weighted and len(param.class_weighting) not in (0, classes):
            raise self.error(
                f"class_weighting is given {len(param.class_weighting)} times for {classes} classes; give one a class"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        outer, classes, inner = self.view
        param = self.layer_param.loss_param
        labels = class_labels(self, self._given_labels(bottom), classes, ignored_label(param))
        self.labels = labels.reshape(outer, inner)
        counts = outer, inner, int(np.count_nonzero(labels >= 0))
        self.normalizer = normalizer(normalization_mode(param), *counts, param.pre_fixed_normalizer)
        kernels.softmax(bottom[0].data.reshape(self.view), self.prob.data)
        top[0].data[...] = self._loss() / self.normalizer
        if len(top) > 1:
            top[1].data[...] = self.prob.data.reshape(bottom[0].shape)
        if len(top) > 2:
            top[2].data[...] = self._costs().reshape(top[2].shape)

    def _given_labels(self, bottom: Sequence[Blob]) -> Blob:
        """The labels, before they are checked."""
        return bottom[1]

    def _loss(self) -> float:
        if not self.is_weighted:
            return kernels.log_loss(self.prob.data, self.labels, LEAST_PROBABILITY)
        return (self._costs() * self._weights()).sum(dtype=np.float64)

    def _weights(self) -> np.ndarray:
        """What each label counts, 0 where it is ignored."""
        weights = np.array(self.layer_param.loss_param.class_weighting, self.prob.dtype)
        if not weights.size:
            counts = np.bincount(self.labels[self.labels >= 0], minlength=self.view[1])
            weights = (1 / np.maximum(counts, 1)).astype(self.prob.dtype)
        return np.where(self.labels >= 0, weights[self.labels], 0)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = self.prob.dtype.type(loss_weight(top) / self.normalizer)
            x_diff = bottom[0].diff.reshape(self.view)
            kernels.softmax_loss_backward(self.prob.data, self.labels, scale, x_diff)
            if self.is_weighted:
                x_diff *= self._weights()[:, None]

    def _costs(self) -> np.ndarray:
        """What each label costs, examples x places."""
        rows = np.maximum(self.labels, 0)[:, None]
        chances = np.take_along_axis(self.prob.data, rows, axis=1)[:, 0]
        return np.where(self.labels >= 0, -np.log(np.maximum(chances, LEAST_PROBABILITY)), 0)
