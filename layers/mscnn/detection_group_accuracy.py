"""DetectionGroupAccuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.mscnn.anchor_accuracy import AnchorAccuracy
from caffe_compat.layers.mscnn.anchors import Anchors
from caffe_compat.layers.mscnn.ground_truth import CHANNELS
from caffe_compat.layers.registry import register


@register("DetectionGroupAccuracy")
class DetectionGroupAccuracy(AnchorAccuracy):
    """How well a region proposal network with several anchors a place does (detection_group_accuracy_param).

    The bottoms are those of DetectionGroupLoss: scores, offsets, and ground truth, G rows an image for G fields
    field_w x field_h. Of equal scores the first class counts. For the tops see anchor_accuracy.py.

    Source: DetectionGroupAccuracyLayer of zhaoweicai/cascade-rcnn.
    """

    reads = ("loss_param", "bbox_reg_param", "detection_group_accuracy_param")
    origin = "Cascade R-CNN"
    bottom_count = (3, 3)
    no_gradient = (0, 1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.detection_group_accuracy_param
        self.anchors = Anchors(self, param.field_w, param.field_h, param.stride)
        super().setup(bottom, top)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if bottom[0].num % self.anchors.groups:
            raise self.error(
                f"bottom[0] has {bottom[0].num} rows; expected {self.anchors.groups} for each image"
            )

    def expected(self, bottom: Sequence[Blob]) -> list[tuple[int, ...]]:
        num, maps = bottom[0].num, bottom[0].shape[2:]
        return [(num, channels, *maps) for channels in (self.param.cls_num, 4, CHANNELS)]

    def scores_and_offsets(self, bottom: Sequence[Blob]) -> tuple[np.ndarray, np.ndarray]:
        return bottom[0].data, bottom[1].data

    def is_right(self, scores: np.ndarray, label: np.ndarray) -> np.ndarray:
        return scores.argmax(axis=1) == label
