"""FAPPYLoss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.common.repetitions import check_pairs
from caffe_compat.layers.registry import register


@register("FAPPYLoss")
class FAPPYLoss(LossLayer):
    """How often a pair of one class is less similar than pairs of one of the two with other classes.

    bottom[0]: the cosines of a batch's P = N (N - 1) / 2 pairs, as CosineSimilarityBatch has them; bottom[1]: N labels.
    For bins of the widths 2, 1, 1/2 ... down to `delta`, each pair of equal labels is compared with histograms of the
    pairs that one of its two examples has with those of other labels; a cosine between two bounds of bins counts to
    both, by its distance. A pair above 1 less the width counts nothing. The sums are divided by the pairs that count,
    and by 2, with those of the wider bins in them, as there. Pairs without others to compare with cost 0, where the
    original divides by 0. Computed in float64. Raises LayerError for other shapes, a delta that is not above 0, and
    cosines that are none.
    Source: FAPPYLossLayer of fappy_metric_learning (jx-zhong-for-academic-purpose).
    """

    reads = ("fappy_loss_param",)
    origin = "fappy_metric_learning"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self.layer_param.fappy_loss_param.delta > 0:
            raise self.error(
                f"delta is {self.layer_param.fappy_loss_param.delta:g}; it must be greater than 0"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        examples = bottom[1].count
        if not bottom[0].num == bottom[0].count == examples * (examples - 1) // 2 or not examples:
            raise self.error(
                f"the bottoms have the shapes {bottom[0].shape} and {bottom[1].shape}; expected a cosine for each pair "
                "of N examples, N (N - 1) / 2, and N labels"
            )
        check_pairs(self, examples, "examples", bytes_each=64)
        self.pairs = np.triu_indices(examples, 1)
        top[0].reshape()

    def _widths(self) -> Iterator[float]:
        width = 2.0
        while width >= self.layer_param.fappy_loss_param.delta:
            yield width
            width /= 2

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        labels = bottom[1].data.ravel()
        cosines = np.zeros((len(labels), len(labels)))
        cosines[self.pairs] = bottom[0].data.ravel()
        if not (np.abs(cosines) <= 1.001).all():
            raise self.error("bottom[0] has numbers that are no cosines, from -1 to 1")
        cosines += cosines.T
        equal, loss, slopes = labels[:, None] == labels, 0.0, np.zeros_like(cosines)
        for width in self._widths():
            total, counted = self._add(cosines, equal, width, slopes)
            loss = (loss + total) / max(counted, 1) / 2
            slopes /= max(counted, 1) * 2
        self.slopes = (slopes + slopes.T)[self.pairs]
        top[0].data[...] = loss

    @staticmethod
    def _add(cosines: np.ndarray, equal: np.ndarray, width: float, slopes: np.ndarray) -> tuple[float, int]:
        """The costs for bins of this width, and how many pairs count; adds to slopes, each pair's at either place."""
        bins = np.floor((cosines + 1) / width)
        above = (cosines + 1) / width - bins
        total, counted = 0.0, 0
        for i, others in enumerate(~equal):
            matches = np.flatnonzero(equal[i] & (1 - cosines[i] >= width))
            matches = matches[matches > i]
            negatives, counted = np.flatnonzero(others), counted + len(matches)
            if not len(negatives) or not len(matches):
                continue
            own, below = bins[i, matches, None], 1 - above[i, matches, None]
            for rows in (np.full(len(matches), i), matches):
                theirs, part = bins[rows[:, None], negatives], above[rows[:, None], negatives]
                first, second = (
                    np.where(place > own, 1, np.where(place == own, below, 0))
                    for place in (theirs, theirs + 1)
                )
                total += (first * (1 - part) + second * part).sum() / len(negatives)
                scale = 1 / (width * len(negatives))
                np.add.at(slopes, (rows[:, None], negatives), (second - first) * scale)
                here = np.where(theirs == own, 1 - part, np.where(theirs + 1 == own, part, 0))
                slopes[i, matches] -= here.sum(axis=1) * scale
        return total, counted

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = (self.slopes * loss_weight(top)).reshape(bottom[0].shape)
