"""SoftmaxWithLossExpectation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.registry import register

LEAST = np.finfo(np.float32).tiny  # C's FLT_MIN


@register("SoftmaxWithLossExpectation")
class SoftmaxWithLossExpectation(LossLayer):
    """What segmentation learns from points, and from which classes an image has.

    bottom[0]: N x C x H x W scores. bottom[1]: N x 3 x H x W: labels, how likely a pixel is an object's (0 to 255), and
    the classes of the image from the first pixel on, ended by 0, which is the background and always there (with
    is_siftflow: 1 more than the class, in labels too, and 0 is none); and, unless ignore_rank, a fourth, weights (0 to
    255). top[0]: the mean over the images of up to four sums of logarithms of the softmax: of each class that is there
    at its likeliest pixel; 1 less that of each that is not; of labels that are not ignore_label, times their weights;
    and, elsewhere, of background and of none, by how likely an object is. Each has an ignore_ field (classes,
    constraint, location, objectness), and a normalize_ field (classes, constraint, supervised, objectness): divided by
    how many there are, labels by the sum of their weights. Without ignore_label there are neither labels nor pixels
    elsewhere. Raises LayerError for other shapes and labels.

    Source: SoftmaxWithLossExpectationLayer of whats-the-point (abearman), its GPU kernels; Bearman et al., What's the
    Point: Semantic Segmentation with Point Supervision (2016).
    """

    reads = ("point_supervision_param",)
    origin = "abearman"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shape, param = bottom[0].shape, self.layer_param.point_supervision_param
        wanted = (shape[0], 4 - param.ignore_rank, *shape[2:])
        if len(shape) != 4 or bottom[1].shape != wanted:
            raise self.error(
                f"the bottoms have the shapes {shape} and {bottom[1].shape}; expected N x C x H x W, and then "
                f"{wanted if len(shape) == 4 else 'N x 3 x H x W'}"
            )
        self.view = shape[0], shape[1], shape[2] * shape[3]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        scores = bottom[0].data.reshape(self.view).astype(np.float64)
        exps = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities = exps / exps.sum(axis=1, keepdims=True)
        labels = bottom[1].data.reshape(self.view[0], -1, self.view[2])
        self.slopes = np.zeros(self.view)
        loss = 0.0
        for prob, given, slopes in zip(probabilities, labels, self.slopes, strict=True):
            for term, by_score in self._terms(np.maximum(prob, LEAST), given):
                loss -= term
                slopes -= by_score
        top[0].data[...] = loss / self.view[0]

    def _terms(self, prob: np.ndarray, given: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
        """Of one image, each sum of logarithms, and its gradient at the scores, C x pixels."""
        param = self.layer_param.point_supervision_param
        there = self._classes(given[2])
        places, classes = prob.argmax(axis=1), np.arange(len(prob))
        if not param.ignore_classes:
            share = 1 / max(there.sum(), 1) if param.normalize_classes else 1.0
            weights = np.zeros_like(prob)
            weights[classes[there], places[there]] = share
            yield _sum_of_logs(prob, weights)
        if not param.ignore_constraint:
            share = 1 / max((~there).sum(), 1) if param.normalize_constraint else 1.0
            weights = np.zeros_like(prob)
            weights[classes[~there], places[~there]] = share
            yield _sum_of_logs_of_rest(prob, weights)
        if not param.HasField("ignore_label"):
            return
        labels = given[0].astype(int)
        known = labels != param.ignore_label
        if not param.ignore_location:
            yield _sum_of_logs(prob, self._of_labels(prob, labels, known, given))
        if not param.ignore_objectness:
            elsewhere = np.zeros_like(prob)
            number = (~known).sum() if not param.ignore_location else known.size
            elsewhere[0] = ~known / (max(number, 1) if param.normalize_objectness else 1.0)
            background = 1 - (given[1].astype(int) + 1) / 257
            yield _sum_of_logs(prob, elsewhere * background)
            yield _sum_of_logs_of_rest(prob, elsewhere * (1 - background))

    def _classes(self, listed: np.ndarray) -> np.ndarray:
        """Which classes the image has."""
        values = listed.astype(int) - self.layer_param.point_supervision_param.is_siftflow
        last = -1 if self.layer_param.point_supervision_param.is_siftflow else 0
        ends = np.flatnonzero(values == last)
        if not ends.size or not all(0 <= value < self.view[1] for value in values[: ends[0]]):
            raise self.error(
                f"the image's classes begin with {values[:5].tolist()}; expected some from 0 to "
                f"{self.view[1] - 1}, ended by {last}"
            )
        there = np.zeros(self.view[1], bool)
        there[values[: ends[0] + (last == 0)]] = True
        return there

    def _of_labels(
        self, prob: np.ndarray, labels: np.ndarray, known: np.ndarray, given: np.ndarray
    ) -> np.ndarray:
        """The weight of each class at each pixel that has a label."""
        param = self.layer_param.point_supervision_param
        labels = labels[known] - param.is_siftflow
        if labels.size and not 0 <= labels.min() <= labels.max() < len(prob):
            raise self.error(
                f"there is the label {labels.max()}; expected 0 to {len(prob) - 1}, or ignore_label"
            )
        weight = np.ones(labels.size) if param.ignore_rank else given[3, known] / 255.0
        if param.normalize_supervised:
            weight = weight / (weight.sum() or 1)
        weights = np.zeros_like(prob)
        weights[labels, np.flatnonzero(known)] = weight
        return weights

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = loss_weight(top) / self.view[0]
            bottom[0].diff[...] = (self.slopes * scale).reshape(bottom[0].shape)


def _sum_of_logs(prob: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    return (weights * np.log(prob)).sum(), weights - prob * weights.sum(axis=0)


def _sum_of_logs_of_rest(prob: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """The same of 1 less the probabilities."""
    rest = np.maximum(1 - prob, LEAST)
    odds = weights * prob / rest
    return (weights * np.log(rest)).sum(), prob * odds.sum(axis=0) - odds
