"""What the layers that propose RoIs share: boxes from anchors and deltas, and the choice among them."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.anchors import decode
from caffe_compat.layers.kernels.nms import nms
from caffe_compat.layers.rpn.anchors import anchors_on_map


def candidate_boxes(
    anchors: np.ndarray, stride: float, deltas: np.ndarray, height: float, width: float
) -> np.ndarray:
    """Return the boxes that deltas (4A x H x W) lead to, clipped to the image: H W A x 4, anchors fastest."""
    boxes = anchors_on_map(anchors, stride, *deltas.shape[1:])
    steps = deltas.transpose(1, 2, 0).reshape(-1, 4)
    decode(boxes, steps, boxes.dtype.type(width - 1), boxes.dtype.type(height - 1), boxes)
    return boxes


def foreground(probabilities: np.ndarray) -> np.ndarray:
    """Return the second half of 2A x H x W probabilities, in the order of `candidate_boxes`."""
    return probabilities[len(probabilities) // 2 :].transpose(1, 2, 0).ravel()


def are_large(boxes: np.ndarray, least: float | np.ndarray) -> np.ndarray:
    """Return which of the boxes are at least so wide and high; least: a number, or one of width and one of height."""
    return (boxes[:, 2:] - boxes[:, :2] + 1 >= least).all(axis=1)


def best_apart(
    boxes: np.ndarray, scores: np.ndarray, before: int, after: int, threshold: float
) -> np.ndarray:
    """Return the rows of the boxes that stay, best first.

    Of the `before` best, those stay that overlap no better one above the threshold, up to `after` (0 or less: all). Of
    equal scores the last is the best.
    """
    order = _first(np.argsort(scores, kind="stable")[::-1], before)
    keep = np.empty(order.size, bool)
    nms(boxes[order], boxes.dtype.type(threshold), keep)
    return _first(order[keep], after)


def _first(rows: np.ndarray, count: int) -> np.ndarray:
    return rows[:count] if count > 0 else rows
