"""How well YOLO v2's detections agree with the labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.sigmoid import sigmoid
from caffe_compat.layers.registry import register
from caffe_compat.layers.yolo import truths
from caffe_compat.layers.yolo.boxes import anchors_of, decode, iou, softmax, suppress
from caffe_compat.prototxt.caffe_pb2 import EvalDetectionParameter

LEAST = 0.005  # a lower score is no detection


@register("EvalDetection")
class EvalDetection(Layer):
    """The numbers from which average precision is computed, for each image.

    bottom[0]: N x A (5 + classes) x S x S predictions of eval_detection_param.num_object (A) anchors, whose widths
    and heights in cells are the biases; `side` is not read, S is theirs. bottom[1]: the objects, SSD's rows: image
    (-1: no object), class from 1, instance, x1, y1, x2, y2, difficult. Others are not read.
    top[0]: N x (classes + S S A 4): how many objects of each class there are, then four numbers a detection: class,
    score, true positive, false positive; classes in order, best scores first; zeros behind them. A box is of its best
    class; score_type says whether its own score counts, that class's, or their product. Boxes go that overlap a
    better one, of any class, by at least `nms`; a negative one leaves no detections. A detection is right that
    overlaps an object of its class, not found before, by at least `threshold`. One that overlaps no object of its
    class so much is neither right nor wrong, as in the original.
    Raises LayerError for params and shapes that do not fit, and for objects of no image or class.
    Source: EvalDetectionLayer of Intel's Caffe.
    """

    reads = ("eval_detection_param",)
    origin = "Intel's Caffe"
    bottom_count = (2, None)
    has_backward = False
    without_effect = tuple(f"eval_detection_param.{name}" for name in ("side", "sqrt", "constriant"))

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.eval_detection_param
        if len(param.biases) < 2 * param.num_object:
            raise self.error(
                f"there are {len(param.biases)} biases; {param.num_object} anchors (num_object) need two each"
            )
        self.anchors = anchors_of(list(param.biases[: 2 * param.num_object]), bottom[0].dtype)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.param, bottom[0].shape
        channels = param.num_object * (5 + param.num_class)
        if (
            len(shape) != 4
            or shape[1] != channels
            or shape[2] != shape[3]
            or not channels
            or not param.num_class
        ):
            raise self.error(
                f"the predictions have the shape {shape}; expected N x {channels} x S x S: num_object "
                f"{param.num_object} times 5 + num_class {param.num_class}"
            )
        if bottom[1].shape[-1:] != (8,):
            raise self.error(
                f"the labels have the shape {bottom[1].shape}; expected rows of 8, 1 x 1 x G x 8"
            )
        top[0].reshape(shape[0], param.num_class + shape[2] ** 2 * param.num_object * 4)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        n, _, height, width = bottom[0].shape
        x = bottom[0].data.reshape(
            n, len(self.anchors), bottom[0].shape[1] // len(self.anchors), height, width
        )
        boxes = decode(sigmoid(x[:, :, :2]), x[:, :, 2:4], self.anchors)
        classes = softmax(x[:, :, 5:], axis=2)
        best, scores = classes.argmax(axis=2), self._scores(sigmoid(x[:, :, 4]), classes.max(axis=2))
        boxes, best, scores = (np.moveaxis(a, 1, 3) for a in (boxes, best, scores))
        top[0].data.fill(0)
        objects = truths.by_image(self, bottom[1], n)
        for image, row in enumerate(top[0].data):
            self._evaluate(
                objects[image], boxes[image].reshape(-1, 4), best[image].ravel(), scores[image].ravel(), row
            )

    def _scores(self, own: np.ndarray, of_class: np.ndarray) -> np.ndarray:
        if self.param.score_type == EvalDetectionParameter.OBJ:
            return own
        return of_class if self.param.score_type == EvalDetectionParameter.PROB else own * of_class

    def _evaluate(
        self, objects: np.ndarray, boxes: np.ndarray, classes: np.ndarray, scores: np.ndarray, row: np.ndarray
    ) -> None:
        """Write one image's row, which is 0."""
        count = self.param.num_class
        labels = objects[:, 0].astype(np.int64)
        wrong = (labels < 0) | (labels >= count)
        if wrong.any():
            raise self.error(
                f"an object has the class {labels[wrong][0] + 1}; they are 1 to {count} (num_class)"
            )
        np.add.at(row, labels, 1)
        if self.param.nms < 0:
            return
        order = np.argsort(-scores, kind="stable")
        order = order[suppress(boxes[order], self.param.nms)]
        order = order[scores[order] >= LEAST]
        order = order[np.argsort(classes[order], kind="stable")]
        rows = row[count:].reshape(-1, 4)[: order.size]
        rows[:, 0], rows[:, 1] = classes[order], scores[order]
        for label in np.unique(classes[order]):
            chosen = np.flatnonzero(classes[order] == label)
            rows[chosen, 2:] = self._right_and_wrong(boxes[order[chosen]], objects[labels == label, 1:])

    def _right_and_wrong(self, boxes: np.ndarray, objects: np.ndarray) -> np.ndarray:
        """D x 2, for detections of one class, best first."""
        result = np.zeros((len(boxes), 2))
        if not len(objects):
            result[:, 1] = 1
            return result
        found = np.zeros(len(objects), bool)
        for i, box in enumerate(boxes):
            overlaps = np.nan_to_num(iou(box, objects), nan=-1)
            nearest = int(np.argmax(overlaps))
            if overlaps[nearest] >= self.param.threshold:
                result[i, int(found[nearest])] = 1
                found[nearest] = True
        return result
