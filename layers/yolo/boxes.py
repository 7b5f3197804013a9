"""Boxes as YOLO has them: the middle, the width and the height, in parts of the image; arrays of ... x 4."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.nms import nms_of_middles
from caffe_compat.prototxt.caffe_pb2 import Yolov3Parameter

Array = np.ndarray


def softmax(x: Array, axis: int) -> Array:
    """The softmax along an axis."""
    with np.errstate(invalid="ignore"):  # of numbers that are not finite, the softmax is neither
        powers = np.exp(x - x.max(axis, keepdims=True))
        return powers / powers.sum(axis, keepdims=True)


def decode(middle: Array, size: Array, anchors: Array, size_grid: tuple[int, int] | None = None) -> Array:
    """N x A x H x W x 4 boxes.

    middle: N x A x 2 x H x W, where in its cell each box has its middle, from 0 to 1. size: N x A x 2 x H x W, the
    logarithm of how many times its anchor a box is. anchors: A x 2, width and height, of an image that has the width
    and the height `size_grid`; without it, of one pixel a cell.
    """
    height, width = middle.shape[-2:]
    columns, rows = np.arange(width, dtype=middle.dtype), np.arange(height, dtype=middle.dtype)
    whole = size_grid or (width, height)
    with np.errstate(over="ignore"):
        powers = np.exp(size)
    parts = (
        (middle[:, :, 0] + columns) / width,
        (middle[:, :, 1] + rows[:, None]) / height,
        powers[:, :, 0] * anchors[:, 0, None, None] / whole[0],
        powers[:, :, 1] * anchors[:, 1, None, None] / whole[1],
    )
    return np.stack(parts, axis=-1)


def anchors_of(biases: list[float], dtype: np.dtype) -> Array:
    """The biases of a param message in pairs: width and height of each anchor."""
    return np.array(biases[: len(biases) // 2 * 2], dtype).reshape(-1, 2)


def corners(boxes: Array) -> tuple[Array, Array]:
    """x and y of each box's upper left corner, and of its lower right one."""
    with np.errstate(invalid="ignore"):
        return boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2


def areas(a: Array, b: Array) -> tuple[Array, Array]:
    """Of the intersection and of the union."""
    (a_low, a_high), (b_low, b_high) = corners(a), corners(b)
    size = np.minimum(a_high, b_high) - np.maximum(a_low, b_low)
    inter = np.where((size < 0).any(-1), size.dtype.type(0), size[..., 0] * size[..., 1])
    return inter, a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - inter


def iou(a: Array, b: Array) -> Array:
    """Intersection over union; NaN where both boxes have no area."""
    with np.errstate(all="ignore"):
        inter, union = areas(a, b)
        return inter / union


def similarity(a: Array, b: Array, kind: int) -> Array:
    """What a Yolov3Parameter.IOU_LOSS compares boxes by: IoU, or one of the kinds that count distance, too.

    a: the predictions, b: the truths. Source: Rezatofighi and others, Generalized IoU (2019); Zheng and others,
    Distance-IoU (2020); DIoU with the power 0.6 of the Caffe of MobileNet-YOLO.
    """
    plain = iou(a, b)
    if kind in (Yolov3Parameter.IOU, Yolov3Parameter.MSE):
        return plain
    (a_low, a_high), (b_low, b_high) = corners(a), corners(b)
    hull = np.maximum(a_high, b_high) - np.minimum(a_low, b_low)
    with np.errstate(all="ignore"):
        if kind == Yolov3Parameter.GIOU:
            area = hull[..., 0] * hull[..., 1]
            union = areas(a, b)[1]
            return np.where(area == 0, plain, plain - (area - union) / area)
        diagonal = np.square(hull).sum(-1)
        distance = np.square(a[..., :2] - b[..., :2]).sum(-1) / diagonal
        if kind == Yolov3Parameter.DIOU:
            penalty = distance**0.6
        else:
            shape = 4 / np.pi**2 * np.square(angle(b) - angle(a))
            penalty = distance + shape * shape / (1 - plain + shape + 1e-6)
        return np.where(diagonal == 0, plain, plain - penalty)


def angle(boxes: Array) -> Array:
    """The angle whose tangent is width over height."""
    return np.arctan(boxes[..., 2] / boxes[..., 3])


def best_similarity(boxes: Array, truths: Array, kind: int = Yolov3Parameter.IOU) -> Array:
    """For each of ... x 4 boxes, its largest similarity to one of T x 4 truths; 0 where none is above."""
    best = np.zeros(boxes.shape[:-1], boxes.dtype)
    for truth in truths:
        np.fmax(best, similarity(boxes, truth, kind), out=best)
    return best


def suppress(boxes: Array, threshold: float) -> Array:
    """Which of D x 4 boxes, the best one first, stay: a box goes whose IoU with a better one that stays reaches the
    threshold."""
    keep = np.empty(len(boxes), bool)
    nms_of_middles(np.ascontiguousarray(boxes), boxes.dtype.type(threshold), keep)
    return keep
