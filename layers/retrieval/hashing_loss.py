"""HashingLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.common.repetitions import check_pairs
from caffe_compat.layers.registry import register


@register("HashingLoss")
class HashingLoss(LossLayer):
    """Codes of images that share a label are to be near, others apart, and all numbers near 1 or -1.

    bottom[0]: codes N x K (axes behind are 1); bottom[1]: one label an image, cut off to a whole number, or L of them,
    0 or 1; top[0]: a scalar. Two images are similar if they have the same label, or share one of L. Over all pairs, the
    squared distance D of similar ones, max(0, bi_margin - D) of others, over N (N - 1); and tradeoff times the
    distances from 1 of the absolute values, over N. With one image there are no pairs and the first part is 0: NaN in
    the original. The gradient of the first part is half the true one. Its second part's is tradeoff / N at 1 and above
    and from -1 to 0, else its negative.
    Raises LayerError for shapes that do not fit, or as many pairs as memory does not hold.
    Source: HashingLossLayer of lhmRyan's deep-supervised-hashing-DSH; Liu et al., DSH (2016).
    """

    reads = ("hashing_loss_param",)
    origin = "DSH"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if {*bottom[0].shape[2:], *bottom[1].shape[2:]} - {1}:
            raise self.error(
                f"the bottoms have the shapes {bottom[0].shape} and {bottom[1].shape}; expected N x K and N x L"
            )
        check_pairs(self, bottom[0].num, "codes", bytes_each=32)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, count = self.layer_param.hashing_loss_param, bottom[0].num
        codes, labels = (blob.data.reshape(count, -1) for blob in bottom)
        wide = codes.astype(np.float64)
        squares = np.square(wide).sum(axis=1)
        distances = np.maximum(np.add.outer(squares, squares) - 2 * (wide @ wide.T), 0)
        if labels.shape[1] > 1:
            similar = labels @ labels.T > 0
        else:
            similar = np.trunc(labels) == np.trunc(labels.T)
        short = param.bi_margin - distances
        costs = np.where(similar, distances, np.maximum(short, 0))
        np.fill_diagonal(costs, 0)
        signs = np.where(similar, 1, np.where(short > 0, -1, 0)).astype(codes.dtype)
        np.fill_diagonal(signs, 0)
        pairs = max(count * (count - 1), 1)
        away = np.abs(np.abs(codes) - 1).sum(dtype=np.float64)
        top[0].data[...] = costs.sum() / 2 / pairs + param.tradeoff * away / count
        inward = np.where((codes >= 1) | ((codes <= 0) & (codes >= -1)), 1, -1)
        self.slope = (signs.sum(axis=1, keepdims=True) * codes - signs @ codes) / pairs
        self.slope += inward * (param.tradeoff / count)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(self.slope, loss_weight(top), out=bottom[0].diff.reshape(self.slope.shape))
