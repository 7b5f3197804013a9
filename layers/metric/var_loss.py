"""VarLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_one_label_each, loss_weight
from caffe_compat.layers.common.runs import runs_of
from caffe_compat.layers.registry import register


@register("VarLoss")
class VarLoss(LossLayer):
    """Half the mean square distance of features from their class's mean.

    bottom[0]: N x C (axes behind are 1), bottom[1]: N labels; classes have as many examples each, one after another, as
    the first one has. top[0]: a scalar. Raises LayerError where classes are not complete.
    Source: VarLossLayer of GGL and RAM (liu-xb).
    """

    reads = ()
    origin = "GGL"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = check_one_label_each(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        classes = runs_of(self, bottom[0].data.reshape(self.view), bottom[1].data.ravel())
        self.gaps = (classes - classes.mean(axis=1, keepdims=True)).reshape(self.view)
        top[0].data[...] = np.square(self.gaps).sum() / 2 / len(self.gaps)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = self.gaps.dtype.type(loss_weight(top) / len(self.gaps))
            np.multiply(self.gaps, scale, out=bottom[0].diff.reshape(self.view))
