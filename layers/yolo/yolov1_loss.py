"""YoloV1Loss: what the Caffes of YOLO's first version call DetectionLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.registry import register_form
from caffe_compat.layers.yolo.boxes import iou
from caffe_compat.prototxt.caffe_pb2 import DetectionLossParameter, LayerParameter

FIELDS = (  # of detection_loss_param; the others are MS-CNN's
    *("side", "num_class", "num_object", "object_scale", "noobject_scale", "class_scale", "coord_scale"),
    *("sqrt", "constriant"),
)
FARTHEST = 20.0  # a box farther from the object than this is not the nearest one


def is_yolos(layer_param: LayerParameter) -> bool:
    """Whether a layer of type DetectionLoss has YOLO's fields, and not MS-CNN's."""
    return any(map(layer_param.detection_loss_param.HasField, FIELDS))


@register_form("YoloV1Loss", of="DetectionLoss", describes=is_yolos)
class YoloV1Loss(LossLayer):
    """The squares of all that is wrong in a grid of side x side cells (S x S), num_object (B) boxes each.

    A layer of type DetectionLoss whose detection_loss_param has YOLO's fields is this one.
    bottom[0]: N x (num_class + 5 B) S S numbers: each class's at all cells; each box's score at all cells; x, y, width
    and height of each box at all cells, in parts of the image. constriant: x and y are places in the cell, from 0 to 1;
    sqrt: width and height are square roots. bottom[1]: N x 7 S S: whether the object of a cell is difficult (not
    read), whether there is one, its class, and x, y, width and height, cell by cell.
    top[0]: with the cell's object go its classes and the box that overlaps it most (none does: the nearest, first of
    equals), whose score is to be 1; class_scale, coord_scale and object_scale weigh their squares, over the number of
    objects. All other scores are to be 0; noobject_scale weighs them, over how many there are. What there is none of
    costs nothing. The gradient, as the original's, is that of half the sum of squares over N, where that score is to be
    the overlap. Raises LayerError for shapes and classes that do not fit.
    Source: DetectionLossLayer of yeahkun/caffe-yolo; Redmon et al., You Only Look Once (2015).
    """

    reads = ("detection_loss_param",)
    origin = "caffe-yolo"
    without_effect = tuple(
        f"detection_loss_param.{field.name}"
        for field in DetectionLossParameter.DESCRIPTOR.fields
        if field.name not in FIELDS
    )

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.detection_loss_param
        if min(self.param.side, self.param.num_class, self.param.num_object) < 1:
            raise self.error("side, num_class and num_object must be at least 1")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        cells, boxes, classes = self.param.side**2, self.param.num_object, self.param.num_class
        counts = [blob.count // blob.num for blob in bottom]
        expected = [cells * (classes + 5 * boxes), cells * 7]
        if counts != expected:
            raise self.error(
                f"an image has {counts[0]} predictions and {counts[1]} numbers of labels; expected {expected[0]} and "
                f"{expected[1]} of {self.param.side} x {self.param.side} cells, {classes} classes and {boxes} boxes"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, x = self.param, bottom[0].data
        self.difference = np.zeros_like(x)
        classes, scores, boxes = self._parts(x)
        d_classes, d_scores, d_boxes = self._parts(self.difference)
        images, cells, labels, truths = self._objects(bottom[1].data)

        d_scores[...] = scores
        unwanted = np.sum(np.square(scores))
        target = np.eye(param.num_class, dtype=x.dtype)[labels]
        d_classes[images, :, cells] = classes[images, :, cells] - target

        mine = boxes[images, :, :, cells]  # objects x boxes x 4
        chosen, overlap = self._responsible(self._in_the_image(mine, cells), truths)
        score = scores[images, chosen, cells]
        d_scores[images, chosen, cells] = score - overlap
        wrong = mine[np.arange(len(chosen)), chosen] - self._as_predicted(truths, cells)
        d_boxes[images, chosen, :, cells] = wrong

        objects, others = len(images), scores.size - len(images)
        found = param.class_scale * np.sum(np.square(d_classes)) + param.coord_scale * np.sum(
            np.square(wrong)
        )
        found += param.object_scale * np.sum(np.square(score - 1))
        none = param.noobject_scale * (unwanted - np.sum(np.square(score)))
        top[0].data[...] = found / max(objects, 1) + none / max(others, 1)

        weights = np.full(scores.shape, param.noobject_scale, x.dtype)
        weights[images, chosen, cells] = param.object_scale
        d_scores *= weights
        d_classes *= param.class_scale
        d_boxes *= param.coord_scale

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = bottom[0].dtype.type(loss_weight(top) / bottom[0].num)
            np.multiply(self.difference, scale, out=bottom[0].diff)

    def _parts(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Views: N x classes x cells, N x boxes x cells, N x boxes x 4 x cells."""
        cells, classes, boxes = self.param.side**2, self.param.num_class, self.param.num_object
        rows = x.reshape(len(x), classes + 5 * boxes, cells)
        return (
            rows[:, :classes],
            rows[:, classes : classes + boxes],
            rows[:, classes + boxes :].reshape(len(x), boxes, 4, cells),
        )

    def _objects(self, label: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of each object the image, the cell, the class, and the box in the image."""
        cells = self.param.side**2
        rows = label.reshape(len(label), 7 * cells)
        images, places = np.nonzero(rows[:, cells : 2 * cells])
        values = rows[images, 2 * cells + places]
        wrong = ~((values > -1) & (values < self.param.num_class))
        if wrong.any():
            raise self.error(
                f"an object is of class {values[wrong][0]:g}; there are {self.param.num_class}, counted from 0"
            )
        return (
            images,
            places,
            values.astype(np.int64),
            rows[:, 3 * cells :].reshape(-1, cells, 4)[images, places],
        )

    def _responsible(self, boxes: np.ndarray, truths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each object which of its boxes counts, and how much they overlap."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            overlaps = np.nan_to_num(iou(boxes, truths[:, None]), nan=0, posinf=0, neginf=0)
            distances = np.sqrt(np.sum(np.square(boxes - truths[:, None]), -1))
        best = np.argmax(overlaps, 1)
        overlap = overlaps[np.arange(len(best)), best]
        nearest = np.argmin(np.where(distances < FARTHEST, distances, np.inf), 1)
        return np.where(overlap > 0, best, nearest), np.maximum(overlap, 0)

    def _in_the_image(self, boxes: np.ndarray, cells: np.ndarray) -> np.ndarray:
        side, boxes = self.param.side, boxes.copy()
        if self.param.constriant:
            corner = np.stack([cells % side, cells // side], 1).astype(boxes.dtype)
            boxes[..., :2] = (boxes[..., :2] + corner[:, None]) / side
        if self.param.sqrt:
            np.square(boxes[..., 2:], out=boxes[..., 2:])
        return boxes

    def _as_predicted(self, truths: np.ndarray, cells: np.ndarray) -> np.ndarray:
        side, truths = self.param.side, truths.copy()
        if self.param.constriant:
            truths[:, :2] = truths[:, :2] * side - np.stack([cells % side, cells // side], 1)
        if self.param.sqrt:
            np.sqrt(truths[:, 2:], out=truths[:, 2:])
        return truths
