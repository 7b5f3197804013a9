"""Mixup."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.loss import class_labels
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng


@register("Mixup")
class Mixup(Layer):
    """Mixes each example with another of the batch, and their labels alike, in both phases.

    bottom[0]: N x ...; bottom[1]: N whole labels, or N x classes shares. top[0]: w x + (1 - w) y, where y are the
    examples in a random order; top[1]: the labels' shares mixed so, N x classes (mixup_param.cls_num of labels that are
    numbers). w is drawn once a batch, after the order, from the beta distribution of mixup_param.alpha twice.
    There is no backward. Raises LayerError for alpha not above 0 or above 1e6, fewer than two classes, and labels that
    do not fit.
    Source: MixupLayer of Wheatly2's bag of tricks; Zhang et al., mixup (2018).
    """

    reads = ("mixup_param",)
    origin = "Wheatly2"
    bottom_count = (2, 2)
    top_count = (2, 2)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        alpha = self.layer_param.mixup_param.alpha
        if not 0 < alpha <= 1e6:
            raise self.error(f"mixup_param.alpha is {alpha:g}; it must be above 0, 1e6 at most")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, labels = bottom[0].shape, bottom[1].shape
        self.classes = labels[1] if len(labels) == 2 else self.layer_param.mixup_param.cls_num
        if not shape or labels[:1] != shape[:1] or (len(labels) != 2 and bottom[1].count != shape[0]):
            raise self.error(
                f"the bottoms have the shapes {shape} and {labels}; expected a label for each example"
            )
        if self.classes < 2:
            raise self.error(f"there are {self.classes} classes; give mixup_param.cls_num, 2 at least")
        top[0].reshape(*shape)
        top[1].reshape(shape[0], self.classes)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shares = bottom[1].data
        if shares.ndim != 2:
            shares = np.eye(self.classes, dtype=bottom[1].dtype)[class_labels(self, bottom[1], self.classes)]
        order, alpha = np.arange(len(shares)), self.layer_param.mixup_param.alpha
        caffe_rng().shuffle(order)
        own = bottom[0].dtype.type(caffe_rng().beta(alpha, alpha))
        for values, blob in ((bottom[0].data, top[0]), (shares, top[1])):
            blob.data[...] = (1 - own) * values[order] + own * values
