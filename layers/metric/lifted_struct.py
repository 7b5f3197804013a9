"""LiftedStructSimilaritySoftmaxLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.common.repetitions import check_pairs
from caffe_compat.layers.registry import register


@register("LiftedStructSimilaritySoftmaxLoss")
class LiftedStructSimilaritySoftmaxLoss(LossLayer):
    """Examples of one label are to lie nearer to each other than to any other example of the batch.

    bottom[0]: N x K features (axes behind are 1); bottom[1]: N labels. Of each pair of one label: log sum exp(margin -
    distance) over all examples of another label than theirs, from either of the two, plus their own distance; where
    that is above 0, its square. top[0]: half the mean of that over the pairs, a scalar; 0 without a pair. A pair
    without others costs nothing, and a distance of 0 has no gradient. Raises LayerError for other shapes.
    Source: LiftedStructSimilaritySoftmaxLossLayer of rksltnl's Caffe; Song et al., Deep Metric Learning via Lifted
    Structured Feature Embedding (2016).
    """

    reads = ("lifted_struct_sim_softmax_loss_param",)
    origin = "rksltnl"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shape, num = bottom[0].shape, bottom[0].num
        if len(shape) < 2 or bottom[0].count != num * shape[1] or bottom[1].count != num:
            raise self.error(
                f"the bottoms have the shapes {shape} and {bottom[1].shape}; expected N x K features and N labels"
            )
        check_pairs(self, num, "examples", bytes_each=64)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, labels = bottom[0].data.reshape(bottom[0].num, -1).astype(np.float64), bottom[1].data.ravel()
        alike = labels[:, None] == labels
        distances = _distances(x)
        margin = self.layer_param.lifted_struct_sim_softmax_loss_param.margin
        nearness = np.where(alike, -np.inf, margin - distances)
        total = np.logaddexp.reduce(nearness, axis=1)  # of each example, over those of other labels

        first, second = np.nonzero(np.triu(alike, 1))
        of_pair = np.logaddexp(total[first], total[second])
        cost = np.maximum(of_pair + distances[first, second], 0)
        self.pairs = max(len(cost), 1)
        top[0].data[...] = np.square(cost).sum() / (2 * self.pairs)

        slopes = np.zeros_like(distances)  # of half the sum of squares, by the distances
        slopes[first, second] = cost
        with np.errstate(invalid="ignore"):  # of examples without others: -inf - -inf
            shares = np.nan_to_num(np.exp(nearness - total[:, None]))
            for ends in (first, second):
                weights = np.bincount(ends, cost * np.nan_to_num(np.exp(total[ends] - of_pair)), len(x))
                slopes -= shares * weights[:, None]
        slopes = np.divide(slopes, distances, out=np.zeros_like(slopes), where=distances > 0)
        slopes += slopes.T
        self.gradient = slopes.sum(1)[:, None] * x - slopes @ x

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = (self.gradient * (loss_weight(top) / self.pairs)).reshape(bottom[0].shape)


def _distances(x: np.ndarray) -> np.ndarray:
    squares = np.einsum("nk,nk->n", x, x)
    return np.sqrt(np.maximum(squares[:, None] + squares - 2 * x @ x.T, 0))
