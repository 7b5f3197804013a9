"""SetLoss2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_one_label_each, loss_weight
from caffe_compat.layers.common.repetitions import check_pairs
from caffe_compat.layers.common.runs import runs_of
from caffe_compat.layers.registry import register


@register("SetLoss2")
class SetLoss2(LossLayer):
    """Drives the means of classes apart: the mean over pairs of classes of max(0, alpha - |difference|^2 / 4).

    bottom[0]: N x C (axes behind are 1), bottom[1]: N labels; classes have as many examples each, one after another, as
    the first one has. top[0]: a scalar. Raises LayerError where classes are not complete, or there is only one.
    Source: SetLoss2Layer of GGL (liu-xb).
    """

    reads = ("set_loss2_param",)
    origin = "GGL"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = check_one_label_each(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        classes = runs_of(self, bottom[0].data.reshape(self.view), bottom[1].data.ravel())
        if len(classes) < 2:
            raise self.error("all labels are the same; there are no two classes to drive apart")
        check_pairs(self, len(classes), "classes", bytes_each=16 + 8 * classes.shape[2])
        means = classes.mean(axis=1)
        gaps = means[:, None] - means
        costs = classes.dtype.type(self.layer_param.set_loss2_param.alpha) - np.square(gaps).sum(axis=2) / 4
        near = (costs > 0) & ~np.eye(len(classes), dtype=bool)
        pairs = len(classes) * (len(classes) - 1)
        top[0].data[...] = costs[near].sum() / pairs
        slopes = -np.einsum("ij,ijc->ic", near, gaps) / classes.dtype.type(pairs * classes.shape[1])
        self.slopes = np.repeat(slopes, classes.shape[1], axis=0)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = self.slopes.dtype.type(loss_weight(top))
            np.multiply(self.slopes, scale, out=bottom[0].diff.reshape(self.view))
