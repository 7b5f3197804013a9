"""Bilinear resizing of planes, corners on corners. Places are computed in float32, as Caffe does, whatever dtype."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared


@piece()
def place(index, sizes, dtype):
    """Where output `index` lies, for (input, output) sizes: the pixels before and behind, and the second's weight."""
    size, count = sizes
    ratio = np.float32(size - 1) / np.float32(count - 1) if count > 1 else np.float32(0)
    at = ratio * np.float32(index)
    before = np.int64(at)
    return before, min(before + 1, size - 1), dtype.type(at - np.float32(before))


@shared()
def interp(source, target, part, parts):
    """target = source, resized. planes x H x W each."""
    planes, height, width = source.shape
    one = source.dtype.type(1)
    for p in range(*share_of(planes, part, parts)):
        for y in range(target.shape[1]):
            y0, y1, v = place(y, (height, target.shape[1]), source.dtype)
            above, below = source[p, y0], source[p, y1]
            for x in range(target.shape[2]):
                x0, x1, u = place(x, (width, target.shape[2]), source.dtype)
                upper = (one - u) * above[x0] + u * above[x1]
                lower = (one - u) * below[x0] + u * below[x1]
                target[p, y, x] = (one - v) * upper + v * lower


@shared()
def interp_backward(target_diff, source_diff, part, parts):
    """Add the gradient at the source to source_diff."""
    planes, height, width = source_diff.shape
    one = source_diff.dtype.type(1)
    for p in range(*share_of(planes, part, parts)):
        for y in range(target_diff.shape[1]):
            y0, y1, v = place(y, (height, target_diff.shape[1]), source_diff.dtype)
            above, below = source_diff[p, y0], source_diff[p, y1]
            for x in range(target_diff.shape[2]):
                x0, x1, u = place(x, (width, target_diff.shape[2]), source_diff.dtype)
                value = target_diff[p, y, x]
                above[x0] += (one - v) * (one - u) * value
                above[x1] += (one - v) * u * value
                below[x0] += v * (one - u) * value
                below[x1] += v * u * value
