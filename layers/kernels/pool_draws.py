"""Drawn elements of windows of planes, and means that weigh elements by themselves. See pool_windows.py for window."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.pool_windows import window_range
from caffe_compat.layers.kernels.shared import share_of, shared


@piece()
def _sum(plane, window, y, x):
    above, below = window_range(window, 0, y, plane.shape[0])
    left, right = window_range(window, 1, x, plane.shape[1])
    total = np.float32(0)
    for h in range(above, below):
        for w in range(left, right):
            total += plane[h, w]
    return total


@piece()
def _drawn(plane, window, y, x, draw):
    """The index in the flat plane of the element where a window's running sum reaches `draw` of the whole.

    -1 where it never does, as it may among negative numbers.
    """
    height, width = plane.shape
    top, bottom = window_range(window, 0, y, height)
    left, right = window_range(window, 1, x, width)
    threshold, total = draw * _sum(plane, window, y, x), np.float32(0)
    for h in range(top, bottom):
        for w in range(left, right):
            total += plane[h, w]
            if total >= threshold:
                return h * width + w
    return -1


@shared()
def drawn_forward(bottom, window, draws, positions, top, part, parts):
    """top = one element of each window, chosen by a number from 0 to 1; positions = where in the flat plane.

    Where none is chosen: 0 and -1.
    """
    for p in range(*share_of(len(bottom), part, parts)):
        plane = bottom[p].reshape(-1)
        for y in range(top.shape[1]):
            for x in range(top.shape[2]):
                index = _drawn(bottom[p], window, y, x, draws[p, y, x])
                positions[p, y, x] = index
                top[p, y, x] = plane[index] if index >= 0 else np.float32(0)


@shared()
def drawn_backward(positions, top_diff, bottom_diff, part, parts):
    """bottom_diff = the sum of the diffs of the windows that chose this element."""
    for p in range(*share_of(len(bottom_diff), part, parts)):
        diff = bottom_diff[p].reshape(-1)
        diff[:] = 0
        for y in range(top_diff.shape[1]):
            for x in range(top_diff.shape[2]):
                if positions[p, y, x] >= 0:
                    diff[positions[p, y, x]] += top_diff[p, y, x]


@shared()
def weighted_forward(bottom, window, top, part, parts):
    """top = the mean of each window with the elements themselves as weights, 0 where their sum is not positive."""
    planes, height, width = bottom.shape
    for p in range(*share_of(planes, part, parts)):
        for y in range(top.shape[1]):
            for x in range(top.shape[2]):
                above, below = window_range(window, 0, y, height)
                left, right = window_range(window, 1, x, width)
                squares = np.float32(0)
                for h in range(above, below):
                    for w in range(left, right):
                        squares += bottom[p, h, w] * bottom[p, h, w]
                total = _sum(bottom[p], window, y, x)
                top[p, y, x] = squares / total if total > np.float32(0) else np.float32(0)


@shared()
def weighted_backward(bottom, window, top, top_diff, bottom_diff, part, parts):
    """bottom_diff = the sum of the windows' diffs times (2 element - mean) / sum."""
    planes, height, width = bottom.shape
    for p in range(*share_of(planes, part, parts)):
        bottom_diff[p] = 0
        for y in range(top.shape[1]):
            for x in range(top.shape[2]):
                above, below = window_range(window, 0, y, height)
                left, right = window_range(window, 1, x, width)
                total = _sum(bottom[p], window, y, x)
                if total > np.float32(0):
                    share = top_diff[p, y, x] / total
                    for h in range(above, below):
                        for w in range(left, right):
                            bottom_diff[p, h, w] += share * (np.float32(2) * bottom[p, h, w] - top[p, y, x])
