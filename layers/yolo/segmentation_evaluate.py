"""How well a segmentation agrees with the labels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.registry import register


@register("SegmentationEvaluate")
class SegmentationEvaluate(Layer):
    """Intersection over union of each class, of the first image alone; a pixel counts above `threshold`.

    bottom[0]: N x C x H x W, from 0 to 1; bottom[1]: N x C x H' x W' labels. top[0]: 1 x 1 x 1 x C; 0 where nothing
    agrees. Of other sizes, bottom[0] is rounded down to whole 255ths and scaled (cv2's INTER_AREA), and a class that
    has no labels and no agreement is -1. Raises LayerError without segmentation_evaluate_param.num_classes, which
    counts no further, and for shapes that do not fit.
    Source: SegmentationEvaluateLayer of the Caffe of MobileNet-YOLO.
    """

    reads = ("segmentation_evaluate_param",)
    origin = "MobileNet-YOLO"
    bottom_count = (2, 2)
    no_gradient = (0, 1)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.segmentation_evaluate_param
        if not self.param.HasField("num_classes"):
            raise self.error("segmentation_evaluate_param names no num_classes; give it")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        a, b = bottom[0].shape, bottom[1].shape
        if not len(a) == len(b) == 4 or a[1] != b[1] or not bottom[0].count or not bottom[1].count:
            raise self.error(
                f"the bottoms have the shapes {a} and {b}; expected two of N x C x H x W, with one C"
            )
        top[0].reshape(1, 1, 1, a[1])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        found, labels = bottom[0].data[0], bottom[1].data[0]
        same = found.shape == labels.shape
        classes = found > self.param.threshold if same else self._scaled(found, labels.shape[1:])
        wanted = labels > self.param.threshold
        both, either = ((f(classes, wanted).sum(axis=(1, 2))) for f in (np.logical_and, np.logical_or))
        score = both / np.maximum(either, 1)
        if not same:
            score[(both == 0) & ~wanted.any(axis=(1, 2))] = -1
        top[0].data[...] = score

    def _scaled(self, found: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        """Which pixels count, of another size."""
        with np.errstate(invalid="ignore"):
            values = (found * 255).astype(np.int64).astype(np.uint8)
        limit = cut_off(np.float32(self.param.threshold) * np.float32(255))
        return np.stack([cv2.resize(c, size[::-1], interpolation=cv2.INTER_AREA) > limit for c in values])
