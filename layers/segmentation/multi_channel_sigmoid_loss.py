"""MultiChannelSigmoidCrossEntropyLoss and MultiChannelReweightedSigmoidCrossEntropyLoss."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.common.sigmoid import sigmoid
from caffe_compat.layers.registry import register
from caffe_compat.layers.segmentation.bit_labels import bits_of, labels_needed


@register("MultiChannelSigmoidCrossEntropyLoss")
class MultiChannelSigmoidCrossEntropyLoss(LossLayer):
    """The SigmoidCrossEntropyLoss of several classes a pixel, whose targets are the bits of a label.

    bottom[0]: N x C x H x W scores; bottom[1]: N x 1 x H x W labels, 32 bits each in the place of a float: bit k says
    whether class k is there, bit 31 leaves the pixel out. top[0]: the sum over N. Raises LayerError for other shapes,
    and for more than 31 classes. Source: MultiChannelSigmoidCrossEntropyLossLayer of SEAL (Chrisding); Yu et al.,
    Simultaneous Edge Alignment and Learning (2018).
    """

    reads = ()
    origin = "SEAL"
    most_labels: int | None = 1

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        scores, labels = (blob.shape for blob in bottom)
        if len(scores) != 4:
            raise self.error(f"bottom[0] has the shape {scores}, expected N x C x H x W")
        needed, pixels = labels_needed(scores[1]), math.prod(scores[2:])
        if needed > (self.most_labels or needed):
            raise self.error(f"bottom[0] has the shape {scores}; one label holds 31 classes at most")
        of_one = math.prod(labels[2:]) if len(labels) == 4 else 0
        if of_one != pixels or not needed <= labels[1] <= (self.most_labels or labels[1]):
            raise self.error(
                f"bottom[1] has the shape {labels}; expected {(scores[0], needed, *scores[2:])} labels for the scores "
                f"{scores}"
            )
        self.view = *scores[:2], pixels

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].data.reshape(self.view)
        targets, counted = bits_of(bottom[1].data.reshape(len(x), -1, self.view[2]), self.view[1])
        weights = self.weights(bottom[1].data.reshape(len(x), -1, self.view[2]), targets, counted)
        costs = (np.logaddexp(0, x) - x * targets) * weights
        top[0].data[...] = costs.sum(dtype=np.float64) / len(x)
        self.slopes = (sigmoid(x) - targets) * weights

    def weights(self, labels: np.ndarray, targets: np.ndarray, counted: np.ndarray) -> np.ndarray:
        """What each score counts, in a shape that fits N x C x pixels."""
        return counted[:, None].astype(targets.dtype)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = self.slopes.dtype.type(loss_weight(top) / len(self.slopes))
            np.multiply(self.slopes, scale, out=bottom[0].diff.reshape(self.view))


@register("MultiChannelReweightedSigmoidCrossEntropyLoss")
class MultiChannelReweightedSigmoidCrossEntropyLoss(MultiChannelSigmoidCrossEntropyLoss):
    """As MultiChannelSigmoidCrossEntropyLoss, with positive and negative targets weighed against each other.

    bottom[1]: N x L x H x W labels, L above C / 32: class k is bit k % 32 of label k // 32, and bit 31 of the last one
    leaves the pixel out. In each image a class that is there weighs the share of pixels that have no class, another
    one the share of those that have one (any bit of the first C / 32 + 1 labels).
    Source: MultiChannelReweightedSigmoidCrossEntropyLossLayer of CASENet, and of SEAL; Yu et al., CASENet (2017).
    """

    origin = "CASENet"
    most_labels = None

    def weights(self, labels: np.ndarray, targets: np.ndarray, counted: np.ndarray) -> np.ndarray:
        words = np.ascontiguousarray(labels[:, : labels_needed(self.view[1])], np.float32).view(np.uint32)
        positive = ((words != 0).any(axis=1) & counted).sum(axis=1)
        total = np.maximum(counted.sum(axis=1), 1)
        share = (positive / total).astype(targets.dtype)[:, None, None]
        return np.where(targets > 0, 1 - share, share) * counted[:, None]
