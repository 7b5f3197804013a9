"""The gradient of how alike a predicted box and an object are."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import Yolov3Parameter

GIOU, DIOU, CIOU = Yolov3Parameter.GIOU, Yolov3Parameter.DIOU, Yolov3Parameter.CIOU
HIGH = np.array([False, True, False, True])  # of the sides top, bottom, left, right
SIGNS = np.where(HIGH, 1.0, -1.0)


def iou_gradient(box: np.ndarray, truth: np.ndarray, kind: int) -> np.ndarray:
    """For x, y, w, h of a box (float64, as the truth), by a kind of Yolov3Parameter.IOU_LOSS other than MSE.

    For the size it is twice the true one, and a pair that does not overlap has a gradient as if it did: both are the
    original's.
    Source: the Yolov3Layer of MobileNet-YOLO's Caffe; Rezatofighi and others (2019); Zheng and others (2020).
    """
    own, other = _sides(box), _sides(truth)
    outside = np.where(HIGH, own > other, own < other)
    overlap = np.minimum(own[1::2], other[1::2]) - np.maximum(own[::2], other[::2])  # height, width
    hull = np.maximum(own[1::2], other[1::2]) - np.minimum(own[::2], other[::2])
    apart = (overlap <= 0).any()
    inter = overlap.prod()
    union = box[2] * box[3] + truth[2] * truth[3] - inter
    of_area = SIGNS * _across(own[1::2] - own[::2])
    of_inter = np.where(np.where(HIGH, own < other, own > other), SIGNS * _across(overlap), 0)
    of_union = of_area - of_inter
    sides = (union * of_inter - inter * of_union) / union**2 if union > 0 else np.zeros(4)
    if kind == GIOU:
        area = hull.prod()
        of_hull = np.where(outside, SIGNS * _across(hull), 0)
        more = (area * of_union - union * of_hull) / area**2 if area > 0 else np.zeros(4)
        sides = more if apart else sides + more
    top, bottom, left, right = sides
    gradient = np.array([left + right, top + bottom, right - left, bottom - top])
    if kind in (DIOU, CIOU):
        more = _of_distance(box, truth, hull[::-1], outside)
        if kind == CIOU:
            more[2:] += _of_shape(box, truth, inter / union)
        gradient = more if apart else gradient + more
    return gradient


def _sides(box: np.ndarray) -> np.ndarray:
    """Top, bottom, left, right."""
    x, y, w, h = box
    return np.array([y - h / 2, y + h / 2, x - w / 2, x + w / 2])


def _across(size: np.ndarray) -> np.ndarray:
    """Of a height and a width, how long each side is: what an area grows by when the side moves."""
    height, width = size
    return np.array([width, width, height, height])


def _of_distance(box: np.ndarray, truth: np.ndarray, hull: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Of the distance of the middles over the hull's diagonal, squared. hull: width and height."""
    diagonal, offset = np.square(hull).sum(), truth[:2] - box[:2]
    if not diagonal > 0:
        return np.zeros(4)
    top, bottom, left, right = outside.astype(float)
    moved, grown = np.array([right - left, bottom - top]), np.array([left + right, top + bottom]) / 2
    distance = np.square(offset).sum()
    place = 2 * offset * diagonal - 2 * hull * moved * distance
    return np.concatenate([place, 2 * hull * grown * distance]) / diagonal**2


def _of_shape(box: np.ndarray, truth: np.ndarray, iou: float) -> np.ndarray:
    """Of the term for width over height: for w and h."""
    apart = math.atan(truth[2] / truth[3]) - math.atan(box[2] / box[3])
    loss = 4 / math.pi**2 * apart**2
    factor = loss / (1 - iou + loss + 0.000001) * 8 / math.pi**2 * apart
    return factor * np.array([box[3], -box[2]])
