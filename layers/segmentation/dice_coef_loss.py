"""DiceCoefLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_equal_counts, loss_weight
from caffe_compat.layers.registry import register


@register("DiceCoefLoss")
class DiceCoefLoss(LossLayer):
    """1 - (2 a b + 1) / (a a + b b + 1) for two vectors, the mean over the images.

    bottom[0], bottom[1]: any shape, as many elements an image; either takes a gradient. top[0]: a scalar. Raises
    LayerError when the bottoms' counts differ.

    Source: HolmesShuan's DiceCoefLossLayer, a layer for BVLC's Caffe; the one of that name with a
    dice_coef_loss_param, in fantes' Caffe, takes labels of classes instead.
    """

    reads = ()
    no_gradient = ()
    origin = "HolmesShuan"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        check_equal_counts(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        a, b = self._rows(bottom)
        self.size = (a * a).sum(1) + (b * b).sum(1) + 1
        self.coefficient = (2 * (a * b).sum(1) + 1) / self.size
        top[0].data[...] = 1 - np.abs(self.coefficient).sum() / len(a)

    def _rows(self, bottom: Sequence[Blob]) -> list[np.ndarray]:
        return [blob.data.reshape(bottom[0].num, -1) for blob in bottom]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        rows = self._rows(bottom)
        scale = (2 * loss_weight(top) / len(rows[0]) / self.size)[:, None]
        for i, wanted in enumerate(propagate_down):
            if wanted:
                diff = scale * (self.coefficient[:, None] * rows[i] - rows[1 - i])
                bottom[i].diff[...] = diff.reshape(bottom[i].shape)
