"""The detections of YOLO v2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.sigmoid import sigmoid
from caffe_compat.layers.registry import register
from caffe_compat.layers.yolo.boxes import anchors_of, decode, softmax
from caffe_compat.layers.yolo.detections import Candidates, joined, write_detections


@register("YoloDetectionOutput")
class YoloDetectionOutput(Layer):
    """Turns predictions into detections: each box with its best class, then non-maximum suppression.

    bottom[0], and bottom[1] if there is one: N x A (5 + classes) x S x S predictions of
    yolo_detection_output_param.num_box (A) anchors, whose widths and heights in cells are the biases. A box's score is
    its own times that of its best class; below confidence_threshold it is none. top[0]: 1 x 1 x D x 7, see
    detections.py. Raises LayerError for params and shapes that do not fit.
    Source: YoloDetectionOutputLayer of the Caffe of MobileNet-YOLO.
    """

    reads = ("yolo_detection_output_param",)
    origin = "MobileNet-YOLO"
    bottom_count = (1, None)
    has_backward = False
    counts_rows = True
    row_axis = 2
    without_effect = tuple(
        f"yolo_detection_output_param.{name}" for name in ("side", "coords", "label_map_file")
    )

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.yolo_detection_output_param
        if not param.HasField("num_classes") or len(param.biases) < 2 * param.num_box or not param.num_box:
            raise self.error(
                f"yolo_detection_output_param needs num_classes, and two biases for each of num_box {param.num_box} "
                f"anchors; there are {len(param.biases)}"
            )
        self.anchors = anchors_of(list(param.biases[: 2 * param.num_box]), bottom[0].dtype)
        self.classes = list(range(1, param.num_classes + 1))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        channels = self.param.num_box * (5 + self.param.num_classes)
        for blob in bottom[:2]:
            shape = blob.shape
            if len(shape) != 4 or shape[1] != channels or shape[2] != shape[3]:
                raise self.error(
                    f"the predictions have the shape {shape}; expected N x {channels} x S x S: num_box "
                    f"{self.param.num_box} times 5 + num_classes {self.param.num_classes}"
                )
        top[0].reshape(1, 1, 1, 7)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        found = joined([self._candidates(blob) for blob in bottom[:2]])
        write_detections(top[0], bottom[0].num, found, self.param.nms_threshold)

    def _candidates(self, blob: Blob) -> Candidates:
        """In the order of images, rows, columns, anchors."""
        n, _, height, width = blob.shape
        x = blob.data.reshape(n, len(self.anchors), blob.shape[1] // len(self.anchors), height, width)
        boxes = decode(sigmoid(x[:, :, :2]), x[:, :, 2:4], self.anchors)
        classes = softmax(x[:, :, 5:], axis=2)
        scores = sigmoid(x[:, :, 4]) * classes.max(axis=2)
        boxes, best, scores = (np.moveaxis(a, 1, 3) for a in (boxes, classes.argmax(axis=2), scores))
        kept = scores >= self.param.confidence_threshold
        return best[kept], scores[kept], boxes[kept]
