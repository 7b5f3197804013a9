"""PairwiseLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer
from caffe_compat.layers.common.repetitions import check_pairs
from caffe_compat.layers.common.sigmoid import sigmoid
from caffe_compat.layers.registry import register


@register("PairwiseLoss")
class PairwiseLoss(LossLayer):
    """How badly scalar products of codes tell which pairs of images share a label: the weighted mean, over all pairs of
    an image of bottom[0] and one of bottom[2], of log(1 + exp(p)) - s p.

    bottom[0], bottom[2]: codes N x ...; bottom[1], bottom[3]: labels of them, N x L, 0 or 1; top[0]: a scalar. p is
    pairwise_param.sigmoid_param times the product; s is 1 where they share a label, else 0; pairs that share all L
    labels do not count. Pairs that share one weigh class_num, others 1. With l_threshold 0 or above, a pair whose p is
    that at least costs nothing if it shares a label, else p. l_lambda 0 or below makes the loss 0.
    The gradient is l_lambda times 2 (sigmoid(p) - s), weighed so, whatever the loss weight; with
    continous_similarity times 4 J, J being the labels that both have, squared, over those that each has, and 1/4 where
    that is 0. It is taken by the product, so that sigmoid_param scales only the first N numbers of each, as there.
    Raises LayerError for shapes that do not fit.
    Source: PairwiseLossLayer of thuml/HashNet, a GPU's; Cao et al., HashNet (2017). That of DPH, which weighs pairs
    otherwise, has no field to be told by.
    """

    reads = ("pairwise_param",)
    origin = "HashNet"
    bottom_count = (4, 4)
    no_gradient = (1, 3)
    without_effect = (
        "pairwise_param.engine",
        "pairwise_param.axis",
        "pairwise_param.q_threshold",
        "pairwise_param.q_gamma",
    )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shapes = [blob.shape for blob in bottom]
        if bottom[0].count != bottom[2].count or shapes[0][0] != shapes[2][0]:
            raise self.error(f"the codes have the shapes {shapes[0]} and {shapes[2]}; expected N x ... twice")
        if bottom[1].count != bottom[3].count or bottom[3].num != bottom[0].num:
            raise self.error(f"the labels have the shapes {shapes[1]} and {shapes[3]}; expected N x L twice")
        check_pairs(self, bottom[0].num, "codes", bytes_each=32)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.pairwise_param
        codes, labels, others, their_labels = (blob.data.reshape(blob.num, -1) for blob in bottom)
        shared = labels @ their_labels.T
        self.similar = (shared > 0) & (shared < labels.shape[1])
        counts = (shared >= 0) & (shared < labels.shape[1])
        self.weights = np.where(counts, np.where(self.similar, param.class_num, 1), 0).astype(codes.dtype)
        self.share = None
        if param.continous_similarity:
            own, their = (np.square(rows).sum(axis=1) for rows in (labels, their_labels))
            own, their = np.where(own == 0, 1, own), np.where(their == 0, 1, their)
            share = np.square(shared) / np.multiply.outer(own, their)
            self.share = np.where(share == 0, codes.dtype.type(0.25), share)
        self.products = (codes @ others.T) * codes.dtype.type(param.sigmoid_param)
        costs = np.logaddexp(0, self.products) - self.similar * self.products
        if param.l_threshold >= 0:
            large = self.products >= param.l_threshold
            costs = np.where(large, self.products * ~self.similar, costs)
        total = max(self.weights.sum(), 0) or 1
        top[0].data[...] = (np.abs(costs * self.weights)).sum() / total if param.l_lambda > 0 else 0
        self.total = total

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        param, dtype = self.layer_param.pairwise_param, self.products.dtype.type
        slopes = 2 * (sigmoid(self.products) - self.similar) * self.weights
        if self.share is not None:
            slopes = slopes * self.share * 4
        slopes = (slopes * (param.l_lambda / self.total)).astype(dtype)
        codes, others = (bottom[i].data.reshape(bottom[i].num, -1) for i in (0, 2))
        for i, matrix, rows in ((0, slopes, others), (2, slopes.T, codes)):
            if propagate_down[i]:
                flat = bottom[i].diff.reshape(-1)
                np.matmul(matrix, rows, out=flat.reshape(rows.shape))
                flat[: len(rows)] *= dtype(param.sigmoid_param)
