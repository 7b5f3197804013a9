"""SoftmaxWithLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import canonical_axis
from caffe_compat.layers.common.loss import (
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
    bottom[1]. No gradient is taken from these two. Labels equal to loss_param.ignore_label do not count.
    Raises LayerError for a label out of range.
    Source: Caffe's SoftmaxWithLossLayer; top[2] of MS-CNN's fork, and of R-FCN's first one.
    """

    reads = ("loss_param", "softmax_param")
    without_effect = ("softmax_param.normalize_type",)
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

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        outer, classes, inner = self.view
        labels = class_labels(self, bottom[1], classes, ignored_label(self.layer_param.loss_param))
        self.labels = labels.reshape(outer, inner)
        param = self.layer_param.loss_param
        counts = outer, inner, int(np.count_nonzero(labels >= 0))
        self.normalizer = normalizer(normalization_mode(param), *counts, param.pre_fixed_normalizer)
        kernels.softmax(bottom[0].data.reshape(self.view), self.prob.data)
        top[0].data[...] = kernels.log_loss(self.prob.data, self.labels, LEAST_PROBABILITY) / self.normalizer
        if len(top) > 1:
            top[1].data[...] = self.prob.data.reshape(bottom[0].shape)
        if len(top) > 2:
            top[2].data[...] = self._costs().reshape(top[2].shape)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = self.prob.dtype.type(loss_weight(top) / self.normalizer)
            kernels.softmax_loss_backward(
                self.prob.data, self.labels, scale, bottom[0].diff.reshape(self.view)
            )

    def _costs(self) -> np.ndarray:
        """What each label costs, examples x places."""
        rows = np.maximum(self.labels, 0)[:, None]
        chances = np.take_along_axis(self.prob.data, rows, axis=1)[:, 0]
        return np.where(self.labels >= 0, -np.log(np.maximum(chances, LEAST_PROBABILITY)), 0)
