"""InfogainLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import canonical_axis
from caffe_compat.layers.common.binaryproto import read_binaryproto
from caffe_compat.layers.common.loss import (
    LEAST_PROBABILITY,
    NO_CLASS_WEIGHTS,
    LossLayer,
    check_label_count,
    class_labels,
    ignored_label,
    loss_weight,
    normalization_mode,
    normalizer,
)
from caffe_compat.layers.kernels import infogain as kernels
from caffe_compat.layers.kernels.softmax import softmax
from caffe_compat.layers.registry import register


@register("InfogainLoss")
class InfogainLoss(LossLayer):
    """Minus the sum over classes c of H[label, c] log(probability of c), divided as loss_param says.

    bottom[0]: probabilities of an earlier Softmax, or scores, the classes on infogain_loss_param.axis; which of both
    depends on the version of Caffe. As scores, of which the softmax is taken, they count where the prototxt has what
    only the later version knows: infogain_loss_param.axis, a loss_param, or top[1], the probabilities. bottom[1]: one
    whole label (0 to classes - 1) for each example and place. bottom[2]: H, classes x classes, in any shape of that
    count; without it H comes from the binaryproto file infogain_loss_param.source. top[0]: the loss, a scalar. Labels
    equal to loss_param.ignore_label do not count; probabilities below 1e-20 count as 1e-20.

    Raises LayerError for labels out of range, a matrix that is missing or of other size, and probabilities that are
    none. Source: InfogainLossLayer of BVLC (scores), and of the Fast R-CNN fork (probabilities).
    """

    reads = ("loss_param", "infogain_loss_param")
    refused = NO_CLASS_WEIGHTS
    bottom_count = (2, 3)
    top_count = (1, 2)
    no_gradient = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.infogain_loss_param
        self.takes_scores = len(top) > 1 or param.HasField("axis") or self.layer_param.HasField("loss_param")
        self.prob = Blob((), bottom[0].dtype)
        if len(bottom) > 2:
            self.gains = bottom[2]
            return
        if not param.source:
            raise self.error("there is no matrix; give infogain_loss_param.source or a third bottom")
        values = read_binaryproto(self, param.source)
        self.gains = Blob(values.shape, bottom[0].dtype)
        self.gains.data[...] = values

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        axis = canonical_axis(self, self.layer_param.infogain_loss_param.axis, bottom[0])
        self.view = check_label_count(self, bottom, axis)
        if self.takes_scores:
            self.prob.reshape(*self.view)
        for blob in top[1:]:
            blob.reshape(*bottom[0].shape)
        classes = self.view[1]
        if self.gains.count != classes * classes:
            raise self.error(
                f"the matrix has the shape {self.gains.shape}; bottom[0] {bottom[0].shape} with {classes} "
                f"classes on axis {axis} needs {classes} x {classes}"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        outer, classes, inner = self.view
        loss_param = self.layer_param.loss_param
        if self.takes_scores:
            softmax(bottom[0].data.reshape(self.view), self.prob.data)
            for blob in top[1:]:
                blob.data[...] = self.prob.data.reshape(blob.shape)
        else:
            self._check_probabilities(bottom[0].data)
        labels = class_labels(self, bottom[1], classes, ignored_label(loss_param))
        self.labels = labels.reshape(outer, inner)
        counts = outer, inner, int(np.count_nonzero(labels >= 0))
        self.normalizer = normalizer(normalization_mode(loss_param), *counts, loss_param.pre_fixed_normalizer)
        top[0].data[...] = kernels.infogain_loss(*self._values(bottom)) / self.normalizer

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x_diff = bottom[0].diff.reshape(self.view)
            scale = x_diff.dtype.type(-loss_weight(top) / self.normalizer)
            prob, labels, gains, least = self._values(bottom)
            if self.takes_scores:
                kernels.infogain_of_scores_backward(prob, labels, gains, scale, x_diff)
            else:
                kernels.infogain_backward(prob, labels, gains, least, scale, x_diff)

    def _check_probabilities(self, values: np.ndarray) -> None:
        for value in (values.min(), values.max()):
            if value < 0 or value > 1.001:
                raise self.error(
                    f"bottom[0] holds {value:g}, which is no probability; put a Softmax layer in front, or say "
                    "infogain_loss_param { axis: 1 } if these are scores, as later versions of Caffe take them"
                )

    def _values(self, bottom: Sequence[Blob]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.float32]:
        """Probabilities, labels, matrix, and the least probability, as the kernels want them."""
        classes = self.view[1]
        gains = self.gains.data.reshape(classes, classes)
        prob = self.prob.data if self.takes_scores else bottom[0].data.reshape(self.view)
        return prob, self.labels, gains, LEAST_PROBABILITY
