"""Overlaps of boxes x1 y1 x2 y2: in pixels, both corners inside, the width is x2 - x1 + 1; in parts, x2 - x1."""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.pieces import piece


@piece(forceinline=True)
def iou(a, i, b, j):
    """Intersection over union of box a[i] and box b[j], in the boxes' own precision."""
    one = np.float32(1)
    width = min(a[i, 2], b[j, 2]) - max(a[i, 0], b[j, 0]) + one
    height = min(a[i, 3], b[j, 3]) - max(a[i, 1], b[j, 1]) + one
    if width <= 0 or height <= 0:
        return a[i, 0] - a[i, 0]  # zero of the boxes' type
    area_a = (a[i, 2] - a[i, 0] + one) * (a[i, 3] - a[i, 1] + one)
    area_b = (b[j, 2] - b[j, 0] + one) * (b[j, 3] - b[j, 1] + one)
    return width * height / (area_a + area_b - width * height)


@piece(forceinline=True)
def iou_of_parts(a, i, b, j):
    """Intersection over union of box a[i] and box b[j], which are in parts of an image; 0 for what is no box."""
    width = min(a[i, 2], b[j, 2]) - max(a[i, 0], b[j, 0])
    height = min(a[i, 3], b[j, 3]) - max(a[i, 1], b[j, 1])
    if not (width > 0 and height > 0):
        return np.float32(0)
    area_a = (a[i, 2] - a[i, 0]) * (a[i, 3] - a[i, 1])
    area_b = (b[j, 2] - b[j, 0]) * (b[j, 3] - b[j, 1])
    return width * height / (area_a + area_b - width * height)


@njit(cache=True, error_model="numpy")
def overlaps(boxes, query, result):
    """IoU of each of N boxes (N x 4) with each of K query boxes (K x 4): result[n, k]."""
    for n in range(len(boxes)):
        for k in range(len(query)):
            result[n, k] = iou(boxes, n, query, k)
