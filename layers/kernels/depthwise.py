"""Convolution of each channel with one filter of its own.

Arrays: image C x H x W, filters C x kernel_h x kernel_w, out C x H' x W'; window int64 4 x 2, the kernel, stride, pad
and dilation of height and width.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from caffe_compat.layers.kernels.im2col import place


@njit(cache=True, error_model="numpy", parallel=True)
def add_filtered(image, filters, window, out):
    """out += filters * image."""
    channels, height, width = image.shape
    for c in prange(channels):
        for i in range(window[0, 0]):
            top, bottom, y = place(window, 0, 0, i, height, out.shape[1])
            for j in range(window[0, 1]):
                left, right, x = place(window, 1, 0, j, width, out.shape[2])
                weight = filters[c, i, j]
                for h in range(top, bottom):
                    pixels, row = image[c, y + (h - top) * window[1, 0]], out[c, h]
                    for w in range(left, right):
                        row[w] += weight * pixels[x + (w - left) * window[1, 1]]


@njit(cache=True, error_model="numpy", parallel=True)
def add_filters_gradient(image, out_diff, window, filters_diff):
    """filters_diff += the gradient."""
    channels, height, width = image.shape
    for c in prange(channels):
        for i in range(window[0, 0]):
            top, bottom, y = place(window, 0, 0, i, height, out_diff.shape[1])
            for j in range(window[0, 1]):
                left, right, x = place(window, 1, 0, j, width, out_diff.shape[2])
                total = np.float32(0)
                for h in range(top, bottom):
                    pixels, row = image[c, y + (h - top) * window[1, 0]], out_diff[c, h]
                    for w in range(left, right):
                        total += row[w] * pixels[x + (w - left) * window[1, 1]]
                filters_diff[c, i, j] += total


@njit(cache=True, error_model="numpy", parallel=True)
def image_gradient(out_diff, filters, window, image_diff):
    """image_diff = the gradient."""
    channels, height, width = image_diff.shape
    for c in prange(channels):
        image_diff[c] = np.float32(0)
        for i in range(window[0, 0]):
            top, bottom, y = place(window, 0, 0, i, height, out_diff.shape[1])
            for j in range(window[0, 1]):
                left, right, x = place(window, 1, 0, j, width, out_diff.shape[2])
                weight = filters[c, i, j]
                for h in range(top, bottom):
                    pixels, row = image_diff[c, y + (h - top) * window[1, 0]], out_diff[c, h]
                    for w in range(left, right):
                        pixels[x + (w - left) * window[1, 1]] += weight * row[w]
