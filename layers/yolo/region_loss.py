"""RegionLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.common.sigmoid import sigmoid
from caffe_compat.layers.registry import register
from caffe_compat.layers.yolo import truths
from caffe_compat.layers.yolo.boxes import anchors_of, best_similarity, decode, iou, softmax
from caffe_compat.layers.yolo.region_rules import IntelRules, MobileNetYoloRules


@register("RegionLoss")
class RegionLoss(LossLayer):
    """YOLO v2's loss: the boxes, scores and classes that each cell of a grid predicts, against the image's objects.

    bottom[0]: N x A (5 + classes) x S x S predictions of region_loss_param.num (A) anchors: x, y, w, h of a box, its
    score, its classes. biases: width and height of each anchor, in cells. bottom[1]: the objects. N x 1 x T x 5 is
    the form of MobileNet-YOLO's Caffe: class, x, y, w, h in parts of the image; an image's list ends at the first row
    of zeros. 1 x 1 x G x 8 is that of Intel's, and SSD's: image (-1: no object), class from 1, instance, x1, y1, x2,
    y2, difficult. The form says whose rules hold; see region_rules.py. top[0]: the sum of the squares of the gradient
    (MobileNet-YOLO: divided by N), for which the gradient at bottom[0], divided by N, is none; both are the
    original's.

    A box's score shall be 0 unless it overlaps an object by more than `thresh`; the anchor of the object's cell that
    fits it best (bias_match: by its own size, else by the predicted one) learns its box, class and score.
    class_map (Intel's): a file of the class to learn for each class of the labels, one a line.
    Raises LayerError for params and shapes that do not fit, and for objects outside of their image.
    Source: RegionLossLayer of the Caffe of MobileNet-YOLO, and of Intel's; Redmon and Farhadi, YOLO9000 (2017).
    """

    reads = ("region_loss_param",)
    origin = "Intel's Caffe"
    without_effect = tuple(
        f"region_loss_param.{name}" for name in ("side", "softmax", "jitter", "absolute", "random")
    )
    refused = {
        "region_loss_param.coords": "a box has 4 numbers; remove it",
        "region_loss_param.softmax_tree": "classes in a tree are not done; give the leaves as plain classes",
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.region_loss_param
        if len(self.param.biases) < 2 * self.param.num:
            raise self.error(
                f"there are {len(self.param.biases)} biases; {self.param.num} anchors (num) need two each"
            )
        self.anchors = anchors_of(list(self.param.biases[: 2 * self.param.num]), bottom[0].dtype)
        rules = IntelRules if bottom[1].shape[-1:] == (8,) else MobileNetYoloRules
        self.rules = rules(self, self.param)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, numbers = bottom[0].shape, 5 + self.param.num_class
        if (
            len(shape) != 4
            or shape[1] != len(self.anchors) * numbers
            or shape[2] != shape[3]
            or not bottom[0].count
        ):
            raise self.error(
                f"the predictions have the shape {shape}; expected N x {len(self.anchors) * numbers} x S x S: "
                f"num {len(self.anchors)} times 5 + num_class {self.param.num_class}"
            )
        self.rules.check(bottom[0], bottom[1])
        self.cells = shape[0], len(self.anchors), numbers, *shape[2:]
        top[0].reshape()

    @np.errstate(over="ignore", invalid="ignore")  # a loss that is not finite says so
    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].data.reshape(self.cells)
        self.x, self.score = x, sigmoid(x[:, :, 4])
        self.classes = softmax(x[:, :, 5:], axis=2)
        self.middle = sigmoid(x[:, :, :2])
        self.boxes = decode(self.middle, x[:, :, 2:4], self.anchors)
        self.gradient = np.zeros_like(x)
        self.gradient[:, :, 4] = self.param.noobject_scale * self.score**2 * (1 - self.score)
        for image, (all_objects, matched) in enumerate(self.rules.objects(bottom[1], len(x))):
            near = best_similarity(self.boxes[image], all_objects[:, 1:]) > self.param.thresh
            self.gradient[image, :, 4][near] = 0
            for truth in matched:
                self._match(image, truth[1:], self.rules.class_of(truth[0]))
        top[0].data[...] = self.rules.loss(np.square(self.gradient).sum(), len(x))

    def _match(self, image: int, truth: np.ndarray, label: int) -> None:
        """Let the best anchor of the object's cell learn it."""
        row, column = cell = truths.cell_of(self, truth, self.cells[4], self.cells[3])
        best = self._best_anchor(image, cell, truth[2:])
        at = image, best, slice(None), row, column
        x, box, gradient = self.x[at], self.boxes[image, best, row, column], self.gradient[at]
        side, middle = self.cells[3], self.middle[at]
        with np.errstate(divide="ignore", invalid="ignore"):
            wanted = np.log(truth[2:] * side / self.anchors[best])
        place = self.rules.slope(middle - (truth[:2] * side - (column, row))) * middle * (1 - middle)
        size = self.rules.slope(x[2:4] - wanted)
        gradient[:4] = self.rules.weight(truth) * np.concatenate([place, size])
        score = self.score[image, best, row, column]
        gradient[4] = self.rules.object_slope(score, float(iou(box, truth)))
        classes = self.classes[at]
        gradient[5:] = self.param.class_scale * (classes - (np.arange(len(classes)) == label))

    def _best_anchor(self, image: int, cell: tuple[int, int], size: np.ndarray) -> int:
        """The anchor, or predicted box, whose size is most like this one, wherever it lies."""
        sizes = self.anchors / self.cells[3]
        if not self.param.bias_match:
            sizes = self.boxes[image, :, cell[0], cell[1], 2:]
        around = np.hstack([np.zeros_like(sizes), sizes])
        return int(np.argmax(np.nan_to_num(iou(around, np.array([0, 0, *size], size.dtype)))))

    @np.errstate(over="ignore", invalid="ignore")
    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = self.gradient.dtype.type(loss_weight(top) / bottom[0].num)
            np.multiply(self.gradient, scale, out=bottom[0].diff.reshape(self.cells))
