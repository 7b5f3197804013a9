"""RankHardLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.common.loss import LossLayer, check_one_label_each
from caffe_compat.layers.common.random_shuffle import random_shuffle
from caffe_compat.layers.common.repetitions import check_pairs
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng


@register("RankHardLoss")
class RankHardLoss(LossLayer):
    """A ranking loss of pairs against hard and random negatives: the sum of max(0, margin + d(a, p) - d(a, n)) and of
    max(0, margin + d(a, p) - d(p, n)), d being minus the scalar product, over 2 neg_num N / pair_size (whole).

    bottom[0]: N x C features (axes behind are 1), a, then p, at each multiple of rank_param.pair_size; bottom[1]: N
    labels; top[0]: a scalar. Negatives n have another label than a and violate the margin at a; of more than neg_num,
    hard_ratio of that many are drawn among the neg_num nearest, rand_ratio of them among all others, as
    std::random_shuffle does with one draw of the global stream for each but the first.
    The gradient does not count the loss weight, as there. Raises LayerError for other shapes, where pairs are not
    complete, and for a neg_num or pair_size too small.
    Source: RankHardLossLayer of xiaolonw's caffe-video_triplet, and of caffe_latte and others; Wang and Gupta,
    Unsupervised Learning of Visual Representations using Videos (2015).
    """

    reads = ("rank_param",)
    origin = "xiaolonw"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.rank_param
        if self.param.neg_num < 1 or self.param.pair_size < 2:
            raise self.error(
                f"neg_num is {self.param.neg_num}, pair_size {self.param.pair_size}; expected 1 and 2 at least"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = check_one_label_each(self, bottom)
        if self.view[0] % self.param.pair_size:
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}; pair_size {self.param.pair_size} does not divide its batch"
            )
        check_pairs(self, self.view[0], "examples", bytes_each=16)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, labels = bottom[0].data.reshape(self.view), bottom[1].data.ravel()
        distances, margin = -(x @ x.T), x.dtype.type(self.param.margin)
        count = self.param.neg_num * len(x) // self.param.pair_size * 2
        loss, slopes = 0.0, np.zeros_like(distances)
        for a in range(0, len(x), self.param.pair_size):
            p = a + 1
            gaps = distances[a, p] - distances[a] + margin
            violating = np.flatnonzero((labels != labels[a]) & (gaps > 0))
            chosen = self._choose(violating[np.lexsort((violating, distances[a, violating]))])
            for first in (a, p):
                costs = np.maximum(distances[a, p] - distances[first, chosen] + margin, 0)
                loss += float(costs.sum())
                slopes[a, p] += np.count_nonzero(costs)
                slopes[first, chosen] -= costs > 0
        top[0].data[...] = loss / count
        self.slopes = slopes / x.dtype.type(count)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.matmul(
                -(self.slopes + self.slopes.T),
                bottom[0].data.reshape(self.view),
                out=bottom[0].diff.reshape(self.view),
            )

    def _choose(self, nearest: np.ndarray) -> np.ndarray:
        """The negatives that count, of those that could, the nearest first."""
        count = self.param.neg_num
        if len(nearest) <= count:
            return nearest
        ratios = self.param.hard_ratio, self.param.rand_ratio
        hard_num, rand_num = (cut_off(float(np.float32(count) * np.float32(ratio))) for ratio in ratios)
        draw = caffe_rng().draw
        hard = random_shuffle(nearest[:count].tolist(), draw)
        others = random_shuffle(nearest[count:].tolist() + hard[hard_num:], draw)
        return np.array(hard[:hard_num] + others[:rand_num], np.int64)
