"""DetectionAccuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.mscnn.anchor_accuracy import AnchorAccuracy
from caffe_compat.layers.mscnn.anchors import Anchors
from caffe_compat.layers.mscnn.ground_truth import CHANNELS
from caffe_compat.layers.registry import register


@register("DetectionAccuracy")
class DetectionAccuracy(AnchorAccuracy):
    """How well one scale of MS-CNN's proposal network does (detection_accuracy_param).

    bottom[0]: N x (cls_num + 4) x H x W, scores and offsets from boxes of field_w x field_h around places that are
    downsample_rate pixels apart. bottom[1]: N x 6 x H x W, the ground truth, as DetectionLoss takes it. A class is
    right where it is among the top_k best; of equal scores the last class is the better one. For the tops see
    anchor_accuracy.py.

    Source: DetectionAccuracyLayer of zhaoweicai/mscnn.
    """

    reads = ("loss_param", "bbox_reg_param", "detection_accuracy_param")
    origin = "MS-CNN"
    bottom_count = (2, 2)
    no_gradient = (0, 1)
    pixel = 0

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.detection_accuracy_param
        if param.coord_num != 4:
            raise self.error(f"coord_num is {param.coord_num}; expected 4")
        if not 1 <= param.top_k <= param.cls_num:
            raise self.error(f"top_k is {param.top_k} and cls_num {param.cls_num}; expected 1 to cls_num")
        self.anchors = Anchors(self, [param.field_w], [param.field_h], param.downsample_rate)
        super().setup(bottom, top)

    def expected(self, bottom: Sequence[Blob]) -> list[tuple[int, ...]]:
        num, maps = bottom[0].num, bottom[0].shape[2:]
        return [(num, self.layer_param.detection_accuracy_param.cls_num + 4, *maps), (num, CHANNELS, *maps)]

    def scores_and_offsets(self, bottom: Sequence[Blob]) -> tuple[np.ndarray, np.ndarray]:
        return bottom[0].data[:, :-4], bottom[0].data[:, -4:]

    def is_right(self, scores: np.ndarray, label: np.ndarray) -> np.ndarray:
        best = np.argsort(scores, axis=1, kind="stable")[:, ::-1]
        return (best[:, : self.layer_param.detection_accuracy_param.top_k] == label[:, None]).any(axis=1)
