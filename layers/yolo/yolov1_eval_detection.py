"""YoloV1EvalDetection: how well the detections of YOLO's first version agree with the labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register_form
from caffe_compat.layers.yolo.boxes import iou, suppress
from caffe_compat.prototxt.caffe_pb2 import EvalDetectionParameter, LayerParameter


def has_no_anchors(layer_param: LayerParameter) -> bool:
    """Whether a layer of type EvalDetection is of YOLO's first version, which has no biases."""
    return not layer_param.eval_detection_param.biases


@register_form("YoloV1EvalDetection", of="EvalDetection", describes=has_no_anchors)
class YoloV1EvalDetection(Layer):
    """The numbers from which average precision is computed, for each image.

    A layer of type EvalDetection whose eval_detection_param has no biases is this one. bottom[0]: N x (num_class + 5 B)
    S S predictions of S x S (side) cells with B (num_object) boxes each, as DetectionLoss has them: sqrt, constriant
    say what the numbers of a box are. bottom[1]: N x 7 S S labels, as BoxData has them. Others are not read.
    top[0]: N x (num_class + 4 S S B): how many objects of each class, those that are difficult left out, then four
    numbers a detection: class, score, true positive, false positive; classes in order, best scores first; zeros behind.
    A box is of its cell's best class; score_type says whether its own score counts, that class's, or their product.
    Boxes go that overlap a better one, of any class, by at least `nms`; with a negative one all stay. A detection is
    for the object of its class that it overlaps most: right if that is at least `threshold` and no better one had it;
    neither right nor wrong if that object is difficult; else wrong.
    Raises LayerError for counts that do not fit, and for an object of no class.
    Source: EvalDetectionLayer of yeahkun/caffe-yolo.
    """

    reads = ("eval_detection_param",)
    origin = "caffe-yolo"
    bottom_count = (2, None)
    has_backward = False
    without_effect = ("eval_detection_param.biases",)  # with them it is Intel's

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.eval_detection_param
        if min(self.param.side, self.param.num_class, self.param.num_object) < 1:
            raise self.error("side, num_class and num_object must be at least 1")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        cells, boxes, classes = self.param.side**2, self.param.num_object, self.param.num_class
        images = bottom[0].num
        for i, (blob, each) in enumerate(
            zip(bottom, (cells * (classes + 5 * boxes), cells * 7), strict=False)
        ):
            if not blob.shape or blob.num != images or blob.count != images * each:
                raise self.error(
                    f"bottom[{i}] has the shape {blob.shape}; expected {images} x {each}, of {self.param.side} x "
                    f"{self.param.side} cells, {classes} classes and {boxes} boxes"
                )
        top[0].reshape(images, classes + cells * boxes * 4)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        images, cells = bottom[0].num, self.param.side**2
        predictions = bottom[0].data.reshape(images, self.param.num_class + 5 * self.param.num_object, cells)
        labels = bottom[1].data.reshape(images, 7 * cells)
        top[0].data.fill(0)
        for numbers, of_image, row in zip(predictions, labels, top[0].data, strict=True):
            self._evaluate(numbers, of_image, row)

    def _evaluate(self, numbers: np.ndarray, labels: np.ndarray, row: np.ndarray) -> None:
        """Write one image's row, which is 0. numbers: (num_class + 5 B) x cells."""
        count = self.param.num_class
        objects, classes, difficult = self._objects(labels)
        np.add.at(row, classes[~difficult], 1)
        boxes, found, scores = self._detections(numbers)
        order = np.argsort(-scores, kind="stable")
        if self.param.nms >= 0:
            order = order[suppress(boxes[order], self.param.nms)]
        order = order[np.argsort(found[order], kind="stable")]
        rows = row[count:].reshape(-1, 4)[: order.size]
        rows[:, 0], rows[:, 1] = found[order], scores[order]
        for label in np.unique(found[order]):
            chosen, of_class = np.flatnonzero(found[order] == label), classes == label
            rows[chosen, 2:] = self._right_and_wrong(
                boxes[order[chosen]], objects[of_class], difficult[of_class]
            )

    def _objects(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes, classes, and whether they are difficult, of the cells that have an object."""
        cells = self.param.side**2
        places = np.flatnonzero(labels[cells : 2 * cells])
        values = labels[2 * cells + places]
        wrong = ~((values > -1) & (values < self.param.num_class))
        if wrong.any():
            raise self.error(
                f"an object is of class {values[wrong][0]:g}; there are {self.param.num_class}, counted from 0"
            )
        boxes = labels[3 * cells :].reshape(cells, 4)[places]
        return boxes, values.astype(np.int64), labels[places] == 1

    def _detections(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes (D x 4), classes and scores: cell by cell, box by box."""
        param, side = self.param, self.param.side
        classes, count = numbers[: param.num_class], param.num_object
        own = numbers[param.num_class : param.num_class + count].T  # cells x boxes
        best, most = classes.argmax(axis=0), classes.max(axis=0)
        boxes = numbers[param.num_class + count :].reshape(count, 4, -1).transpose(2, 0, 1).copy()
        if param.constriant:
            rows, columns = np.divmod(np.arange(side * side), side)
            place = np.stack([columns, rows], axis=1)[:, None].astype(boxes.dtype)
            boxes[..., :2] = (place + boxes[..., :2]) / boxes.dtype.type(side)
        if param.sqrt:
            with np.errstate(over="ignore"):
                boxes[..., 2:] = np.square(boxes[..., 2:])
        of_class = np.broadcast_to(most[:, None], own.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            scores = {
                EvalDetectionParameter.OBJ: own,
                EvalDetectionParameter.PROB: of_class,
                EvalDetectionParameter.MULTIPLY: own * of_class,
            }[param.score_type]
        return boxes.reshape(-1, 4), np.repeat(best, count), scores.reshape(-1)

    def _right_and_wrong(self, boxes: np.ndarray, objects: np.ndarray, difficult: np.ndarray) -> np.ndarray:
        """D x 2, for detections of one class, best first."""
        result, had = np.zeros((len(boxes), 2)), np.zeros(len(objects), bool)
        for i, box in enumerate(boxes):
            overlaps = np.nan_to_num(iou(box, objects), nan=-1)
            nearest = int(np.argmax(overlaps)) if len(objects) else -1
            if nearest < 0 or not overlaps[nearest] >= self.param.threshold:
                result[i, 1] = 1
            elif not difficult[nearest]:
                result[i, int(had[nearest])] = 1
                had[nearest] = True
        return result
