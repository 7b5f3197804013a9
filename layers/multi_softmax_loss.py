"""MultiSoftmaxLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_label_count
from caffe_compat.layers.kernels import softmax as kernels
from caffe_compat.layers.registry import register

LEAST_PROBABILITY = np.finfo(np.float32).tiny  # C's FLT_MIN


@register("MultiSoftmaxLoss")
class MultiSoftmaxLoss(LossLayer):
    """The sum of the logistic losses of all pixels, over the number of images; labels count from 1.

    bottom[0]: N x C x ... scores; bottom[1]: a label from 1 to C for each pixel. top[0]: the loss, of max_multiple
    (mult_softmax_param) times the softmax over the channels; top[1], if wanted: these, without gradient. The gradient
    is learning_multiple (mult_softmax_loss_param) over N times the difference of these from 1 at the label, and 0
    elsewhere, whatever the loss weight. Raises LayerError for other labels.

    Source: MultiSoftmaxWithLossLayer of Arroosh/optical_flow_prediction; Walker et al., Dense Optical Flow Prediction
    from a Static Image (2015).
    """

    reads = ("mult_softmax_param", "mult_softmax_loss_param")
    origin = "Arroosh"
    top_count = (1, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if len(bottom[0].shape) < 2:
            raise self.error(f"bottom[0] has the shape {bottom[0].shape}; expected N x C x ...")
        self.view = check_label_count(self, bottom, 1)
        if not hasattr(self, "prob"):
            self.prob = Blob((), bottom[0].dtype)
        self.prob.reshape(*self.view)
        if len(top) > 1:
            top[1].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.places = self._places(bottom[1].data)
        kernels.softmax(bottom[0].data.reshape(self.view), self.prob.data)
        self.prob.data[...] *= self.layer_param.mult_softmax_param.max_multiple
        chances = np.take_along_axis(self.prob.data, self.places, axis=1)
        costs = -np.log(np.maximum(chances, LEAST_PROBABILITY))
        top[0].data[...] = costs.sum(dtype=np.float64) / bottom[0].num
        if len(top) > 1:
            top[1].data[...] = self.prob.data.reshape(bottom[0].shape)

    def _places(self, labels: np.ndarray) -> np.ndarray:
        """Which of the scores each label means, images x 1 x pixels."""
        images, classes, pixels = self.view
        whole = np.trunc(labels.reshape(images, 1, pixels))
        wrong = np.flatnonzero(~((whole >= 1) & (whole <= classes)))
        if wrong.size:
            raise self.error(f"label {labels.flat[wrong[0]]:g} is no class; expected 1 to {classes}")
        return whole.astype(np.int64) - 1

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x_diff = bottom[0].diff.reshape(self.view)
        x_diff[...] = self.prob.data
        at_labels = np.take_along_axis(x_diff, self.places, axis=1) - 1
        np.put_along_axis(x_diff, self.places, at_labels, axis=1)
        x_diff *= x_diff.dtype.type(
            self.layer_param.mult_softmax_loss_param.learning_multiple / bottom[0].num
        )
