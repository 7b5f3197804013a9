"""MultiLabelLoss and MultiLabelAccuracy: several labels an image, each there, not there, or unknown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.common.sigmoid import sigmoid
from caffe_compat.layers.registry import register


@register("MultiLabelLoss")
class MultiLabelLoss(LossLayer):
    """Cross entropy of the sigmoids of scores, summed over labels, over the number of images.

    bottom[0]: N x ... scores; bottom[1]: as many labels, above 0 for there, below for not there, 0 for unknown, which
    counts 0. top[0]: a scalar; top[1], if wanted: the sigmoids, of the scores' shape, without a gradient. Raises
    LayerError for other counts. Source: sguada's MultiLabelLossLayer, of several forks of Caffe.
    """

    reads = ()
    top_count = (1, 2)
    origin = "sguada"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if bottom[0].count != bottom[1].count:
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}, bottom[1] {bottom[1].shape}; expected as many labels as "
                "scores"
            )
        if len(top) > 1:
            top[1].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        scores, labels = bottom[0].data, bottom[1].data.reshape(bottom[0].shape)
        losses = np.logaddexp(0, np.where(labels > 0, -scores, scores)) * (labels != 0)
        top[0].data[...] = losses.sum(dtype=np.float64) / bottom[0].num
        if len(top) > 1:
            top[1].data[...] = sigmoid(scores)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scores, labels = bottom[0].data, bottom[1].data.reshape(bottom[0].shape)
            slopes = (sigmoid(scores) - (labels > 0)) * (labels != 0)
            bottom[0].diff[...] = slopes * self.dtype(loss_weight(top) / bottom[0].num)


@register("MultiLabelAccuracy")
class MultiLabelAccuracy(Layer):
    """Recall, specificity, their harmonic mean, precision and F1 of scores above 0.

    bottom[0]: N x ... scores, of which 0 counts as above; bottom[1]: as many labels, at least 1 for there, -1 or less
    for not there, others for unknown, which does not count. top: 1 x 5 x 1 x 1. What nothing can be said of is 0; the
    harmonic mean of labels of one kind alone, none of them found, is NaN, as there. Forward only. Raises LayerError
    for other counts. Source: sguada's MultiLabelAccuracyLayer, of several forks of Caffe.
    """

    reads = ()
    bottom_count = (2, 2)
    has_backward = False
    origin = "sguada"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].count != bottom[1].count:
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}, bottom[1] {bottom[1].shape}; expected as many labels as "
                "scores"
            )
        top[0].reshape(1, 5, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        found, labels = bottom[0].data.ravel() >= 0, np.trunc(bottom[1].data.ravel())
        there, absent = labels > 0, labels < 0
        hits, rejected = np.float64((found & there).sum()), np.float64((~found & absent).sum())
        positives, negatives = there.sum(), absent.sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            harmonic = 2 / (positives / hits + negatives / rejected) if positives + negatives else 0
        wrong = (found & absent).sum() + (~found & there).sum()
        top[0].data[0, :, 0, 0] = (
            hits / positives if positives else 0,
            rejected / negatives if negatives else 0,
            harmonic,
            hits / (found & (there | absent)).sum() if hits else 0,
            2 * hits / (2 * hits + wrong) if hits else 0,
        )
