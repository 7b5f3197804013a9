"""Yolov3."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.common.sigmoid import sigmoid
from caffe_compat.layers.registry import register
from caffe_compat.layers.yolo import truths
from caffe_compat.layers.yolo.boxes import anchors_of, best_similarity, decode, similarity
from caffe_compat.layers.yolo.iou_gradient import iou_gradient
from caffe_compat.prototxt.caffe_pb2 import Yolov3Parameter

MSE, IOU, DIOU = Yolov3Parameter.MSE, Yolov3Parameter.IOU, Yolov3Parameter.DIOU


@register("Yolov3")
class Yolov3(LossLayer):
    """YOLO v3's loss of one grid: the boxes, scores and classes of its anchors, against each image's objects.

    bottom[0]: N x A (5 + classes) x H x W predictions of yolov3_param.num (A) anchors: x, y, w, h of a box, its score,
    its classes. biases: width and height of all anchors, in pixels of an image of anchors_scale pixels a cell; mask:
    which of them are this grid's. bottom[1]: N x 1 x T x 5 objects: class, x, y, w, h in parts of the image; an image's
    list ends at the first row of zeros.
    top[0]: the sum of the squares of the gradient, divided by N, for which that gradient, divided by N, is none; with
    an iou_loss other than MSE, the box's four numbers count iou_normalizer times 1 - IoU instead (GIOU's and CIOU's
    own, otherwise DIOU's), a mean over the objects.

    A box's score shall be 0 unless it overlaps an object by more than `thresh`. The anchor whose size fits an object
    best learns it, if it is one of the mask, and so does each other one of the mask that fits it by more than
    iou_thresh. The second test leaves out the anchor of the number that the first one has in the mask, as the
    original does. With use_logic_gradient the gradient also goes through the sigmoids (with an iou_loss other than
    MSE, those of x and y take the input for their output: the original's). Raises LayerError for params and shapes
    that do not fit, for objects outside of their image and for classes that are not there.

    Source: Yolov3Layer of the Caffe of MobileNet-YOLO; Redmon and Farhadi, YOLOv3 (2018).
    """

    reads = ("yolov3_param",)
    origin = "MobileNet-YOLO"
    without_effect: tuple[str, ...] = ("yolov3_param.side", "yolov3_param.noobject_scale")
    middle, size, score = (
        [0, 1],
        [2, 3],
        4,
    )  # which of an anchor's numbers these are; behind them are the classes
    of_inputs = [0, 1]  # whose slopes, with a loss of IoU, the original takes at the input

    @property
    def kind(self) -> int:
        """How boxes are compared."""
        return self.param.iou_loss

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.yolov3_param
        self.anchors = anchors_of(list(param.biases), bottom[0].dtype)
        self.mask = list(param.mask[: param.num])
        if len(self.mask) < param.num or param.num < 1 or max(self.mask) >= len(self.anchors):
            raise self.error(
                f"num is {param.num}, mask {list(param.mask)} and the biases are those of {len(self.anchors)} anchors; "
                "mask needs num numbers of anchors, counted from 0"
            )
        if param.anchors_scale < 1:
            raise self.error("anchors_scale is 0; it is how many pixels wide a cell is")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, numbers, num = bottom[0].shape, self.score + 1 + self.param.num_class, self.param.num
        if len(shape) != 4 or shape[1] != num * numbers or not bottom[0].count:
            raise self.error(
                f"the predictions have the shape {shape}; expected N x {num * numbers} x H x W: num {num} times "
                f"{self.score + 1} + num_class {self.param.num_class}"
            )
        truths.check_rows(self, bottom[1], shape[0])
        self.cells = shape[0], num, numbers, *shape[2:]
        scale = self.param.anchors_scale
        self.image_size = shape[3] * scale, shape[2] * scale
        top[0].reshape()

    @np.errstate(over="ignore", invalid="ignore")  # a loss that is not finite says so
    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = self.x = bottom[0].data.reshape(self.cells)
        self.p = sigmoid(x)
        self.p[:, :, self.size] = x[:, :, self.size]
        own = self.anchors[self.mask]
        self.boxes = decode(self.p[:, :, self.middle], x[:, :, self.size], own, self.image_size)
        self.gradient = np.zeros_like(x)
        self.gradient[:, :, self.score] = self.p[:, :, self.score]
        self.losses: list[float] = []
        for image, rows in enumerate(truths.read_rows(self, bottom[1])):
            objects = truths.until(rows, 1)[:, 1:]
            near = best_similarity(self.boxes[image], objects, self.kind) > self.param.thresh
            self.gradient[image, :, self.score][near] = 0
            for truth in truths.until(rows, 3):
                self._learn(image, truth[1:], int(truth[0]))
        top[0].data[...] = self._loss() / len(x)

    def _loss(self) -> float:
        if self.kind == MSE:
            return float(np.square(self.gradient).sum())
        boxes = self.param.iou_normalizer * sum(self.losses) / max(1, len(self.losses))
        return float(np.square(self.gradient[:, :, self.score :]).sum()) + boxes

    def _learn(self, image: int, truth: np.ndarray, label: int) -> None:
        """Let the anchors that fit an object learn it."""
        row, column = truths.cell_of(self, truth, self.cells[4], self.cells[3])
        if not 0 <= label < self.param.num_class:
            raise self.error(f"an object has the class {label}; num_class is {self.param.num_class}")
        for anchor in self._anchors_for(truth[2:]):
            at = image, anchor, slice(None), row, column
            self._learn_box(at, truth, self.boxes[image, anchor, row, column])
            p, gradient = self.p[at], self.gradient[at]
            scale, classes = self.param.object_scale if self.param.use_logic_gradient else 1, self.score + 1
            gradient[self.score] = scale * (p[self.score] - 1)
            self._learn_class(p[classes:], gradient[classes:], label)

    def _anchors_for(self, size: np.ndarray) -> list[int]:
        """Which of the mask's anchors learn an object of this size, as numbers in the mask."""
        sizes = self.anchors / np.array(self.image_size, size.dtype)
        around = np.hstack([np.zeros_like(sizes), sizes])
        fit = np.nan_to_num(similarity(around, np.array([0, 0, *size], size.dtype), self.kind), nan=0)
        best = int(np.argmax(fit)) if fit.max() > 0 else -1
        found = []
        if best in self.mask:
            best = self.mask.index(best)
            found.append(best)
        if self.param.iou_thresh < 1:
            others = (i for i in np.flatnonzero(fit > self.param.iou_thresh).tolist() if i != best)
            found += [self.mask.index(i) for i in others if i in self.mask]
        return found

    def _learn_box(self, at: tuple, truth: np.ndarray, box: np.ndarray) -> None:
        gradient, kind = self.gradient[at][:4], self.kind
        if kind == MSE:
            gradient[...] = self._weight(truth) * (self.p[at][:4] - self._wanted(at, truth))
            return
        self.losses.append(1 - float(similarity(box, truth, DIOU if kind == IOU else kind)))
        own = np.where([True, True, *(box[2:] != 0)], box, 1).astype(np.float64)
        with np.errstate(all="ignore"):
            move = iou_gradient(own, truth.astype(np.float64), kind)
            move[2:] *= np.exp(self.x[at][self.size])
        move = np.nan_to_num(move * self.param.iou_normalizer, nan=0, posinf=0, neginf=0)
        move = np.clip(move, -self.param.max_delta, self.param.max_delta)
        gradient[...] = (gradient if self.param.accumulate else 0) - move

    def _weight(self, truth: np.ndarray) -> float:
        """Of a box's errors: those of small objects count more."""
        return self.param.coord_scale * (2 - truth[2] * truth[3])

    def _wanted(self, at: tuple, truth: np.ndarray) -> np.ndarray:
        """x, y, w and h that lead to an object."""
        _, anchor, _, row, column = at
        grid, whole = np.array([self.cells[4], self.cells[3]]), np.array(self.image_size)
        with np.errstate(divide="ignore", invalid="ignore"):
            size = np.log(truth[2:] * whole / self.anchors[self.mask[anchor]])
        return np.concatenate([truth[:2] * grid - (column, row), size])

    def _learn_class(self, p: np.ndarray, gradient: np.ndarray, label: int) -> None:
        smooth, scale = self.param.label_smooth_eps, self.param.class_scale
        wanted = (np.arange(len(p)) == label).astype(p.dtype)
        smoothed = wanted * (1 - smooth) + 0.5 * smooth
        if gradient[label] != 0:  # another object has taught this cell: only the class is new
            gradient[label] = scale * (p[label] - smoothed[label])
        elif self.param.use_focal_loss:
            sure = p[label] + 1e-15
            focus = -(1 - sure) * (2 * sure * np.log(sure) + sure - 1)
            gradient[...] = scale * (p - wanted) * 0.5 * focus
        else:
            gradient[...] = scale * (p - smoothed)

    @np.errstate(over="ignore", invalid="ignore")
    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        gradient = self.gradient
        if self.param.use_logic_gradient:
            p = self.p.copy()
            if self.kind != MSE:
                p[:, :, self.of_inputs] = self.x[:, :, self.of_inputs]
            slope = p * (1 - p)
            slope[:, :, self.size] = 1
            gradient = gradient * slope
        scale = gradient.dtype.type(loss_weight(top) / bottom[0].num)
        np.multiply(gradient, scale, out=bottom[0].diff.reshape(self.cells))
