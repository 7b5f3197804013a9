"""Anchors on a map, and boxes as the deltas from anchors to them (dx, dy, log of width, log of height).

Boxes are x1 y1 x2 y2 in pixels, both corners inside: the width is x2 - x1 + 1, and the centre x1 + width / 2.
Source: py-faster-rcnn's bbox_transform, bbox_transform_inv and clip_boxes; Girshick et al., Rich feature
hierarchies (2014), appendix C.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def shifted_anchors(anchors, stride, height, width, result):
    """Move the A anchors (A x 4) to each pixel of a map: result (height * width * A) x 4, anchors fastest."""
    n = 0
    for y in range(height):
        for x in range(width):
            for a in range(len(anchors)):
                for i in range(4):
                    result[n, i] = anchors[a, i] + (x if i % 2 == 0 else y) * stride
                n += 1


@njit(cache=True, error_model="numpy")
def decode(boxes, deltas, growth, right, bottom, result):
    """Write into result (n x 4) where the deltas (n x 4) lead from the boxes, clipped to 0..right, 0..bottom.

    growth: n x 2, the exponentials of the deltas' last two columns.
    """
    half, one, zero = np.float32(0.5), np.float32(1), np.float32(0)
    for n in range(len(boxes)):
        for i in range(2):
            last = right if i == 0 else bottom
            size = boxes[n, i + 2] - boxes[n, i] + one
            centre = deltas[n, i] * size + (boxes[n, i] + half * size)
            reach = half * (growth[n, i] * size)
            result[n, i] = max(min(centre - reach, last), zero)
            result[n, i + 2] = max(min(centre + reach, last), zero)


@njit(cache=True, error_model="numpy")
def encode(boxes, gt_boxes, best, result):
    """Write into result (n x 4) the deltas that lead from each box to gt_boxes[best[n]]."""
    half, one = np.float32(0.5), np.float32(1)
    for n in range(len(boxes)):
        g = best[n]
        for i in range(2):
            size = boxes[n, i + 2] - boxes[n, i] + one
            goal = gt_boxes[g, i + 2] - gt_boxes[g, i] + one
            result[n, i] = ((gt_boxes[g, i] + half * goal) - (boxes[n, i] + half * size)) / size
            result[n, i + 2] = np.log(goal / size)
