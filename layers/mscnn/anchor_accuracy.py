"""What DetectionAccuracy and DetectionGroupAccuracy share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.loss import ignored_label
from caffe_compat.layers.mscnn.anchor_loss import WITHOUT_EFFECT
from caffe_compat.layers.mscnn.anchors import Anchors, bounds, last_axis
from caffe_compat.layers.mscnn.bbox_reg import BBoxReg
from caffe_compat.layers.mscnn.boxes import overlap
from caffe_compat.layers.mscnn.ground_truth import GroundTruth
from caffe_compat.prototxt.caffe_pb2 import DetectionAccuracyParameter, DetectionGroupAccuracyParameter


class AnchorAccuracy(Layer):
    """top[0]: 1 x 1 x 1 x 2, the share of places whose class is right, and the same of those of a class above 0.

    top[1], if wanted: 1 x 1 x 1 x 1, how much the boxes of the latter overlap the true ones, on average. Each is -1
    where there is no such place. Places of class 0 whose overlap is bg_threshold or more do not count, nor does
    loss_param.ignore_label; objectness: all classes above 0 are one. Offsets are times bbox_std, plus bbox_mean, and
    clipped to a field / field_xyr and field_whr times smaller or larger. Nothing takes a gradient.
    """

    without_effect = (*WITHOUT_EFFECT, "bbox_reg_param.cls_aware")
    top_count = (1, 2)
    has_backward = False
    pixel = 1  # see boxes.overlap
    param: DetectionAccuracyParameter | DetectionGroupAccuracyParameter
    anchors: Anchors

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.param.objectness and self.param.cls_num != 2:
            raise self.error(f"objectness needs cls_num 2, found {self.param.cls_num}")
        self.regression = BBoxReg(self)
        self.bounds = bounds(self, self.param.field_xyr, self.param.field_whr)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for index, (blob, shape) in enumerate(zip(bottom, self.expected(bottom), strict=True)):
            if blob.shape != shape:
                raise self.error(f"bottom[{index}] has the shape {blob.shape}; expected {shape}")
        for blob, size in zip(top, (2, 1), strict=False):
            blob.reshape(1, 1, 1, size)

    def expected(self, bottom: Sequence[Blob]) -> list[tuple[int, ...]]:
        """The shapes of the bottoms."""
        raise NotImplementedError

    def scores_and_offsets(self, bottom: Sequence[Blob]) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError

    def is_right(self, scores: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Whether the label (N x H x W) is the one that scores (N x classes x H x W) say."""
        raise NotImplementedError

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        scores, offsets = self.scores_and_offsets(bottom)
        truth = GroundTruth(
            bottom[-1].data, self.param.objectness, ignored_label(self.layer_param.loss_param)
        )
        is_unsure = (truth.label == 0) & (truth.overlap >= np.float32(self.param.bg_threshold))
        right, counts = self.is_right(scores, truth.label), ~truth.ignored & ~is_unsure
        top[0].data[...] = [_mean(right[counts]), _mean(right[counts & (truth.label != 0)])]
        if len(top) > 1:
            places = (truth.raw != 0) & ~truth.box_ignored
            centre, size = np.split(truth.boxes, 2, axis=-1)
            boxes = np.concatenate([centre - size / np.float32(2), size], axis=-1)
            predicted = self.anchors.decoded(
                np.clip(self.regression.restored(last_axis(offsets)), *self.bounds)
            )
            top[1].data[...] = _mean(overlap(predicted, boxes, self.pixel)[places])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else -1.0
