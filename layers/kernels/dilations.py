"""Windows of 3 x 3 pixels whose dilation is another one at every pixel, as columns, and the gradients of them.

Arrays: image, dilations C x H x W; columns (C * 9) x (H * W). most: the dilation that the one below it is taken with.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.pieces import piece


@piece()
def around(dilation, most):
    """The whole numbers that a dilation lies between, and the share of the first."""
    low = np.int64(dilation)
    if low == most:
        low -= 1
    return low, low + 1, np.float32(low + 1) - dilation


@njit(cache=True, error_model="numpy")
def columns_of(image, dilations, most, columns):
    channels, height, width = image.shape
    for c in range(channels):
        plane = image[c]
        for y in range(height):
            for x in range(width):
                low, high, share = around(dilations[c, y, x], most)
                rest = np.float32(1) - share
                for e in range(9):
                    i, j = e // 3 - 1, e % 3 - 1
                    y2, x2 = y + i * high, x + j * high
                    value = np.float32(0) * share
                    if 0 <= y2 < height and 0 <= x2 < width:
                        y1, x1 = y + i * low, x + j * low
                        value = (
                            plane[y2, x2] * rest * rest
                            + (plane[y2, x1] + plane[y1, x2]) * rest * share
                            + plane[y1, x1] * share * share
                        )
                    columns[c * 9 + e, y * width + x] = value


@njit(cache=True, error_model="numpy")
def add_to_image(columns, dilations, most, image_diff):
    channels, height, width = image_diff.shape
    for c in range(channels):
        plane = image_diff[c]
        for y in range(height):
            for x in range(width):
                low, high, share = around(dilations[c, y, x], most)
                rest = np.float32(1) - share
                for e in range(9):
                    i, j = e // 3 - 1, e % 3 - 1
                    y2, x2 = y + i * high, x + j * high
                    if 0 <= y2 < height and 0 <= x2 < width:
                        y1, x1 = y + i * low, x + j * low
                        diff = columns[c * 9 + e, y * width + x]
                        plane[y2, x2] += diff * rest * rest
                        plane[y2, x1] += diff * rest * share
                        plane[y1, x2] += diff * rest * share
                        plane[y1, x1] += diff * share * share


@njit(cache=True, error_model="numpy")
def dilations_gradient(columns, image, dilations, most, dilations_diff):
    channels, height, width = image.shape
    two = np.float32(2)
    for c in range(channels):
        plane = image[c]
        for y in range(height):
            for x in range(width):
                low, high, share = around(dilations[c, y, x], most)
                rest = np.float32(1) - share
                slope = np.float32(0) * share
                for e in range(9):
                    i, j = e // 3 - 1, e % 3 - 1
                    y2, x2 = y + i * high, x + j * high
                    if 0 <= y2 < height and 0 <= x2 < width:
                        y1, x1 = y + i * low, x + j * low
                        slope += columns[c * 9 + e, y * width + x] * (
                            plane[y2, x2] * two * rest
                            + (plane[y2, x1] + plane[y1, x2]) * (share - rest)
                            - plane[y1, x1] * two * share
                        )
                dilations_diff[c, y, x] = slope
