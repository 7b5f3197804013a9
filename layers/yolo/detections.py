"""What YOLO's detection layers share: they choose among boxes of all cells, and write rows as SSD's do."""

from __future__ import annotations

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.yolo.boxes import corners, suppress

Candidates = tuple[np.ndarray, np.ndarray, np.ndarray]  # classes, scores, boxes


def write_detections(top: Blob, images: int, candidates: Candidates, threshold: float) -> None:
    """Shape and fill the top, 1 x 1 x D x 7, with what non-maximum suppression over all classes and images leaves.

    A row is image, class (from 1), score, x1, y1, x2, y2. All say image 0, as in the original. Best first; without any,
    each image has a row of its number and -1.
    """
    classes, scores, boxes = candidates
    order = np.argsort(-scores, kind="stable")
    order = order[suppress(boxes[order], threshold)]
    if order.size:
        low, high = corners(boxes[order])
        rows = np.column_stack([np.zeros(order.size), classes[order] + 1, scores[order], low, high])
    else:
        rows = np.full((images, 7), -1.0)
        rows[:, 0] = range(images)
    top.reshape(1, 1, *rows.shape)
    top.data[...] = rows


def joined(parts: list[Candidates]) -> Candidates:
    """The candidates of several bottoms, in their order."""
    classes, scores, boxes = zip(*parts, strict=True)
    return np.concatenate(classes), np.concatenate(scores), np.concatenate(boxes)
