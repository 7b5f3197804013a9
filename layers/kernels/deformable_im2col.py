"""Windows of an image whose elements are moved by offsets, as columns of a matrix, and the gradients of them.

Arrays: image C x H x W; offsets (G * kernel_h * kernel_w * 2) x H' x W', of a group of channels and an element of the
kernel first down, then right, in pixels; window int64 4 x 2, the kernel, stride, pad and dilation of height and width;
columns (C * kernel_h * kernel_w) x (H' * W').
"""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.pieces import piece


@piece()
def moved(window, axis, out, element, offset):
    """Where one element of the window of output `out` lies along an axis."""
    return np.float32(out * window[1, axis] - window[2, axis] + element * window[3, axis]) + offset


@piece()
def neighbours(place, size):
    """The pixel before a place from 0 to size, the one behind it, and how far it lies from the first."""
    low = min(np.int64(np.floor(place)), size - 1)
    high = min(low + 1, size - 1)
    return low, high, place - np.float32(low) if high > low else np.float32(0)


@njit(cache=True, error_model="numpy")
def deformable_im2col(image, offsets, window, groups, columns):
    """columns[(c, i, j), (y, x)] = the pixels around element (i, j) of the window of output (y, x), read bilinearly;
    0 where it lies outside of the image."""
    channels, height, width = image.shape
    elements = window[0, 0] * window[0, 1]
    _, rows, cols = offsets.shape
    for k in range(channels * elements):
        c, e = k // elements, k % elements
        i, j = e // window[0, 1], e % window[0, 1]
        first = 2 * (c // (channels // groups) * elements + e)
        plane = image[c]
        line = columns[k].reshape(rows, cols)
        for y in range(rows):
            for x in range(cols):
                h = moved(window, 0, y, i, offsets[first, y, x])
                w = moved(window, 1, x, j, offsets[first + 1, y, x])
                line[y, x] = np.float32(0)
                if h >= 0 and w >= 0 and h < height and w < width:
                    above, below, v = neighbours(h, height)
                    left, right, u = neighbours(w, width)
                    upper = (1 - u) * plane[above, left] + u * plane[above, right]
                    lower = (1 - u) * plane[below, left] + u * plane[below, right]
                    line[y, x] = (1 - v) * upper + v * lower


@njit(cache=True, error_model="numpy")
def deformable_col2im(columns, offsets, window, groups, image_diff):
    """Add the gradient at every element of the columns to the pixels that it was read from, as they weigh."""
    channels, height, width = image_diff.shape
    elements = window[0, 0] * window[0, 1]
    _, rows, cols = offsets.shape
    for c in range(channels):
        plane = image_diff[c]
        for e in range(elements):
            i, j = e // window[0, 1], e % window[0, 1]
            first = 2 * (c // (channels // groups) * elements + e)
            line = columns[c * elements + e].reshape(rows, cols)
            for y in range(rows):
                for x in range(cols):
                    h = moved(window, 0, y, i, offsets[first, y, x])
                    w = moved(window, 1, x, j, offsets[first + 1, y, x])
                    if h >= 0 and w >= 0 and h < height and w < width:
                        above, below, v = neighbours(h, height)
                        left, right, u = neighbours(w, width)
                        plane[above, left] += (1 - v) * (1 - u) * line[y, x]
                        plane[above, right] += (1 - v) * u * line[y, x]
                        plane[below, left] += v * (1 - u) * line[y, x]
                        plane[below, right] += v * u * line[y, x]


@njit(cache=True, error_model="numpy")
def deformable_offsets_gradient(columns, image, offsets, window, groups, offsets_diff):
    """Write the gradient at the offsets: how the columns change with them, summed over the channels of a group."""
    channels, height, width = image.shape
    elements = window[0, 0] * window[0, 1]
    _, rows, cols = offsets.shape
    each = channels // groups
    for k in range(groups * elements):
        g, e = k // elements, k % elements
        i, j = e // window[0, 1], e % window[0, 1]
        for y in range(rows):
            for x in range(cols):
                down = right_ = np.float32(0)
                h = moved(window, 0, y, i, offsets[2 * k, y, x])
                w = moved(window, 1, x, j, offsets[2 * k + 1, y, x])
                if h >= 0 and w >= 0 and h < height and w < width:
                    above, below, v = neighbours(h, height)
                    left, right, u = neighbours(w, width)
                    for c in range(g * each, (g + 1) * each):
                        plane, diff = image[c], columns[c * elements + e, y * cols + x]
                        a, b = plane[above, left], plane[above, right]
                        d, f = plane[below, left], plane[below, right]
                        down += diff * ((1 - u) * (d - a) + u * (f - b))
                        right_ += diff * ((1 - v) * (b - a) + v * (f - d))
                offsets_diff[2 * k, y, x] = down
                offsets_diff[2 * k + 1, y, x] = right_
