"""The detections of YOLO v3."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.sigmoid import sigmoid
from caffe_compat.layers.registry import register
from caffe_compat.layers.yolo.boxes import anchors_of, decode
from caffe_compat.layers.yolo.detections import Candidates, joined, write_detections

PLAIN = (0, 1), (2, 3), 4  # channels of x and y, of w and h, of the score
GAUSSIAN = (0, 2), (4, 6), 8


@register("Yolov3DetectionOutput")
class Yolov3DetectionOutput(Layer):
    """Turns the predictions of several grids into detections: each class of each box, then non-maximum suppression.

    bottom[k]: N x A (5 + classes) x H x W predictions of yolov3_detection_output_param.num_box (A) anchors.
    mask_group_num is the number of bottoms; each has its share of the mask, numbers of anchors, whose widths and
    heights in pixels are the biases, and its anchors_scale, pixels a cell. A class counts where its score times the
    box's is above confidence_threshold. With gaussian_box each of a box's four numbers has its uncertainty behind it
    (9 + classes channels), and the score is multiplied by one less their mean; the original's CPU code reads the
    score from memory that was never written. top[0]: 1 x 1 x D x 7, see detections.py. Raises LayerError for params
    and shapes that do not fit.
    Source: Yolov3DetectionOutputLayer of the Caffe of MobileNet-YOLO; Choi and others, Gaussian YOLOv3 (2019).
    """

    reads = ("yolov3_detection_output_param",)
    origin = "MobileNet-YOLO"
    bottom_count = (1, None)
    has_backward = False
    counts_rows = True
    row_axis = 2

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.yolov3_detection_output_param
        groups = param.mask_group_num
        if not param.HasField("num_classes"):
            raise self.error("yolov3_detection_output_param names no num_classes; give it")
        if len(bottom) != groups or len(param.anchors_scale) < groups:
            raise self.error(
                f"there are {len(bottom)} bottoms, mask_group_num is {groups} and there are {len(param.anchors_scale)} "
                "of anchors_scale; give one of these a bottom"
            )
        if min(param.anchors_scale) < 1:
            raise self.error("an anchors_scale is 0; it is how many pixels wide a cell is")
        anchors, share = anchors_of(list(param.biases), bottom[0].dtype), len(param.mask) // groups
        if share < param.num_box or not param.num_box or max(param.mask) >= len(anchors):
            raise self.error(
                f"num_box is {param.num_box}, mask {list(param.mask)} for {groups} bottoms, and the biases are those "
                f"of {len(anchors)} anchors; mask needs num_box numbers of anchors a bottom, counted from 0"
            )
        masks = [list(param.mask[i * share : i * share + param.num_box]) for i in range(groups)]
        self.anchors = [anchors[mask] for mask in masks]
        self.classes = list(range(1, param.num_classes + 1))
        self.numbers = (9 if param.gaussian_box else 5) + param.num_classes

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        channels = self.param.num_box * self.numbers
        for blob in bottom:
            if len(blob.shape) != 4 or blob.shape[1] != channels:
                raise self.error(
                    f"the predictions have the shape {blob.shape}; expected N x {channels} x H x W: num_box "
                    f"{self.param.num_box} times {self.numbers - self.param.num_classes} + num_classes "
                    f"{self.param.num_classes}"
                )
        top[0].reshape(1, 1, 1, 7)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        found = joined([self._candidates(i, blob) for i, blob in enumerate(bottom)])
        write_detections(top[0], bottom[-1].num, found, self.param.nms_threshold)

    def _candidates(self, index: int, blob: Blob) -> Candidates:
        """In the order of images, rows, columns, anchors, classes."""
        n, _, height, width = blob.shape
        x = blob.data.reshape(n, self.param.num_box, self.numbers, height, width)
        middle, size, score = GAUSSIAN if self.param.gaussian_box else PLAIN
        scale = self.param.anchors_scale[index]
        whole = width * scale, height * scale
        boxes = decode(sigmoid(x[:, :, list(middle)]), x[:, :, list(size)], self.anchors[index], whole)
        own = sigmoid(x[:, :, score : score + 1])
        if self.param.gaussian_box:
            own = own * (1 - sigmoid(x[:, :, 1:8:2]).mean(axis=2, keepdims=True))
        scores = np.moveaxis(own * sigmoid(x[:, :, score + 1 :]), (1, 2), (3, 4))
        kept = np.nonzero(scores > self.param.confidence_threshold)
        return kept[4], scores[kept], np.moveaxis(boxes, 1, 3)[kept[:4]]
