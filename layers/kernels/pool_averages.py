"""Averages over windows of planes. See pool_windows.py for window."""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.pool_windows import rows_at_once, window_range
from caffe_compat.layers.kernels.shared import share_of, shared


@piece()
def _elements(window, y, x, height, width):
    """What an average divides by: the window's elements, padding included, but not what lies beyond it."""
    count = 1
    for axis, index, size in ((0, y, height), (1, x, width)):
        start = index * window[axis, 1] - window[axis, 2]
        count *= min(start + window[axis, 0], size + window[axis, 2]) - start
    return count


@njit(cache=True, error_model="numpy")
def count_elements(window, height, width, counts):
    """counts (H' x W') = what the average of each window divides by."""
    for y in range(counts.shape[0]):
        for x in range(counts.shape[1]):
            counts[y, x] = _elements(window, y, x, height, width)


@piece()
def average_of_plane(plane, window, top):
    """What `average_forward` does, of one plane."""
    height, width = plane.shape
    for y in range(top.shape[0]):
        for x in range(top.shape[1]):
            above, below = window_range(window, 0, y, height)
            left, right = window_range(window, 1, x, width)
            total = np.float32(0)
            for h in range(above, below):
                for w in range(left, right):
                    total += plane[h, w]
            top[y, x] = total / top.dtype.type(_elements(window, y, x, height, width))


@shared()
def average_forward(bottom, window, top, part, parts):
    """top = the averages, in which padding counts as zeros."""
    for p in range(*share_of(len(bottom), part, parts)):
        average_of_plane(bottom[p], window, top[p])


@piece()
def _add(values, total):
    for x in range(len(total)):
        total[x] += values[x]


@piece()
def _add_to_all(value, total):
    for x in range(len(total)):
        total[x] += value


@shared()
def average_backward(top_diff, window, bottom_diff, part, parts):
    """bottom_diff = the sum of the windows' diffs, each divided by its window's elements.

    First across, with the rows of windows one behind the other, or of few wide windows (fewer than one has columns)
    each by itself; then down the columns.
    """
    planes, height, width = bottom_diff.shape
    kernel, stride, pad = window[1]
    rows, wide = rows_at_once(window, width)
    for p in range(*share_of(planes, part, parts)):
        bottom_diff[p] = 0
        shares, spread = np.empty((rows, wide), top_diff.dtype), np.empty((rows, wide), top_diff.dtype)
        for first in range(0, top_diff.shape[1], rows):
            some = min(rows, top_diff.shape[1] - first)
            shares[:some] = 0
            for y in range(some):
                for x in range(top_diff.shape[2]):
                    count = top_diff.dtype.type(_elements(window, first + y, x, height, width))
                    shares[y, stride * x] = top_diff[p, first + y, x] / count
            values, total = shares[:some].reshape(-1), spread[:some].reshape(-1)
            if kernel > top_diff.shape[2]:
                total[:] = 0
                for y in range(some):
                    for x in range(top_diff.shape[2]):
                        _add_to_all(shares[y, stride * x], spread[y, stride * x : stride * x + kernel])
            else:
                for x in range(len(total)):
                    total[x] = values[x]
                for w in range(1, kernel):
                    _add(values, total[w:])
            for y in range(some):
                above, below = window_range(window, 0, first + y, height)
                for h in range(above, below):
                    _add(spread[y, pad : pad + width], bottom_diff[p, h])
