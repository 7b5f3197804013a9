"""What DetectionLoss and DetectionGroupLoss share: a loss of classes and of boxes around the places of maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, ignored_label, loss_weight
from caffe_compat.layers.mscnn.anchors import Anchors, last_axis
from caffe_compat.layers.mscnn.bbox_reg import BBoxReg
from caffe_compat.layers.mscnn.ground_truth import GroundTruth
from caffe_compat.layers.softmax_loss import LEAST_PROBABILITY
from caffe_compat.prototxt.caffe_pb2 import LossParameter

WITHOUT_EFFECT = tuple(
    f"loss_param.{field.name}" for field in LossParameter.DESCRIPTOR.fields if field.name != "ignore_label"
)


class AnchorLoss(LossLayer):
    """top[0]: 1 x 1 x 1 x 2, the loss (classes + lambda * boxes), and the boxes' part of it, lambda included.

    The loss of the classes is the mean over the kept places of the softmax's logistic loss times the place's weight;
    that of the boxes the mean over the four offsets of the kept places of a class above 0, of 0.5 d^2, and with
    `smooth` |d| - 0.5 from 1 on, where d is the predicted offset, clipped to `bounds`, less the true one. The gradient
    is of the first number alone, and it is taken as if nothing had been clipped, as in the original.
    Subclasses read the params, say what the bottoms are, and which places are kept.
    """

    classes: int
    lambda_: float
    objectness: bool
    smooth: bool
    bounds: np.ndarray | None
    anchors: Anchors
    regression: BBoxReg

    def scores_and_offsets(self, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Views of the bottoms' data, or diffs: N x classes x H x W and N x 4 x H x W."""
        raise NotImplementedError

    def keep(self, truth: GroundTruth, scores: np.ndarray, prob: np.ndarray) -> np.ndarray:
        """Which places are sampled, N x H x W."""
        raise NotImplementedError

    def weights(self, truth: GroundTruth, keep: np.ndarray) -> np.ndarray:
        """What each place weighs in the loss of the classes, N x H x W; places that are not kept may be anything."""
        raise NotImplementedError

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        scores, offsets = self.scores_and_offsets([blob.data for blob in bottom])
        truth = GroundTruth(bottom[-1].data, self.objectness, ignored_label(self.layer_param.loss_param))
        truth.check(self, self.classes)
        prob = np.exp(scores - scores.max(axis=1, keepdims=True))
        prob /= prob.sum(axis=1, keepdims=True)
        keep = self.keep(truth, scores, prob)
        weights = np.where(keep & ~truth.ignored, self.weights(truth, keep), 0)
        of_classes = self._classes(truth, prob, keep & ~truth.ignored, weights)
        of_boxes = self._boxes(truth, offsets, keep & (truth.raw != 0) & ~truth.box_ignored)
        top[0].data[...] = [of_classes + self.lambda_ * of_boxes, self.lambda_ * of_boxes]

    def _classes(
        self, truth: GroundTruth, prob: np.ndarray, counts: np.ndarray, weights: np.ndarray
    ) -> np.floating:
        """The loss of the classes; sets its gradient at the scores."""
        label = np.where(counts, truth.label, 0)[:, None]
        chance = np.take_along_axis(prob, label, 1)
        np.put_along_axis(prob, label, chance - 1, 1)
        number = max(np.count_nonzero(counts), 1)
        self.scores_diff = prob * (weights / number)[:, None]
        loss = -np.log(np.maximum(chance[:, 0], LEAST_PROBABILITY)) * weights
        return loss.sum() / number

    def _boxes(self, truth: GroundTruth, offsets: np.ndarray, counts: np.ndarray) -> np.floating:
        """The loss of the boxes; sets its gradient at the offsets."""
        predicted = last_axis(offsets)
        if self.bounds is not None:
            predicted = np.clip(predicted, *self.bounds)
        with np.errstate(divide="ignore", invalid="ignore"):
            diff = predicted - self.regression.normalized(self.anchors.encoded(truth.boxes))
        diff = np.where(counts[..., None], diff, 0)
        loss, slope = 0.5 * diff * diff, diff
        if self.smooth:
            far = np.abs(diff) >= 1
            loss, slope = np.where(far, np.abs(diff) - 0.5, loss), np.where(far, np.sign(diff), diff)
        number = max(4 * np.count_nonzero(counts), 1)
        self.offsets_diff = slope.transpose(0, 3, 1, 2) * (self.lambda_ / number)
        return loss.sum() / number

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        scale = loss_weight(top)
        parts = self.scores_and_offsets(
            [
                blob.diff if wanted else np.empty(blob.shape, blob.dtype)
                for blob, wanted in zip(bottom, propagate_down, strict=True)
            ]
        )
        for part, diff in zip(parts, (self.scores_diff, self.offsets_diff), strict=True):
            part[...] = scale * diff

    def normalized_bounds(self, bounds: np.ndarray) -> np.ndarray:
        """The bounds of offsets that are normalized: by the means and stds of pairs, as in the original."""
        means = self.regression.mean.reshape(2, 2).mean(axis=1)
        stds = np.sqrt(self.regression.std.reshape(2, 2).prod(axis=1))
        return (bounds - np.repeat(means, 2)) / np.repeat(stds, 2)

    def check_maps(self, bottom: Sequence[Blob], expected: Sequence[tuple[int, ...]]) -> None:
        """Raises LayerError unless the bottoms have these shapes."""
        for index, (blob, shape) in enumerate(zip(bottom, expected, strict=True)):
            if blob.shape != shape:
                raise self.error(f"bottom[{index}] has the shape {blob.shape}; expected {shape}")


def scaled_to_shares(
    weights: np.ndarray, foreground: np.ndarray, background: np.ndarray, share: float
) -> None:
    """Let the weights of the foreground sum up to this share of the kept places, in place, and the others to the rest.

    A side whose sum is 0 stays as it is.
    """
    count = np.count_nonzero(foreground) + np.count_nonzero(background)
    for places, part in ((foreground, share), (background, 1 - share)):
        total = weights[places].sum()
        if total != 0:
            weights[places] *= part * count / total
