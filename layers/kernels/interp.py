"""Bilinear resizing of planes, corners on corners. Places are computed in float32, as Caffe does, whatever dtype."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True, error_model="numpy")
def place(index, sizes, dtype):
    """Where output `index` lies, for (input, output) sizes: the pixels before and behind, and the second's weight."""
    size, count = sizes
    ratio = np.float32(size - 1) / np.float32(count - 1) if count > 1 else np.float32(0)
    at = ratio * np.float32(index)
    before = np.int64(at)
    return before, min(before + 1, size - 1), dtype.type(at - np.float32(before))


@njit(cache=True, error_model="numpy", parallel=True)
def interp(source, target):
    """target = source, resized. planes x H x W each."""
    planes, height, width = source.shape
    one = source.dtype.type(1)
    for p in prange(planes):
        for y in range(target.shape[1]):
            y0, y1, v = place(y, (height, target.shape[1]), source.dtype)
            above, below = source[p, y0], source[p, y1]
            for x in range(target.shape[2]):
                x0, x1, u = place(x, (width, target.shape[2]), source.dtype)
                upper = (one - u) * above[x0] + u * above[x1]
                lower = (one - u) * below[x0] + u * below[x1]
                target[p, y, x] = (one - v) * upper + v * lower


@njit(cache=True, error_model="numpy", parallel=True)
def interp_backward(target_diff, source_diff):
    """Add the gradient at the source to source_diff."""
    planes, height, width = source_diff.shape
    one = source_diff.dtype.type(1)
    for p in prange(planes):
        for y in range(target_diff.shape[1]):
            y0, y1, v = place(y, (height, target_diff.shape[1]), source_diff.dtype)
            above, below = source_diff[p, y0], source_diff[p, y1]
            for x in range(target_diff.shape[2]):
                x0, x1, u = place(x, (width, target_diff.shape[2]), source_diff.dtype)
                part = target_diff[p, y, x]
                above[x0] += (one - v) * (one - u) * part
                above[x1] += (one - v) * u * part
                below[x0] += v * (one - u) * part
                below[x1] += v * u * part
