"""Convolution of each channel with one filter of its own.

Arrays: images N x C x H x W, filters C x kernel_h x kernel_w, outs N x C x H' x W'; window int64 4 x 2, the kernel,
stride, pad and dilation of height and width.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from caffe_compat.layers.kernels.im2col import place


@njit(cache=True, error_model="numpy", parallel=True)
def filter_planes(images, filters, bias, window, outs):
    """outs = filters * images + bias."""
    channels, height, width = images.shape[1:]
    stride_h, stride_w = window[1]
    for plane in prange(len(images) * channels):
        n, c = plane // channels, plane % channels
        image, out = images[n, c], outs[n, c]
        out[:] = bias[c]
        for i in range(window[0, 0]):
            top, bottom, y = place(window, 0, 0, i, height, out.shape[0])
            for j in range(window[0, 1]):
                left, right, x = place(window, 1, 0, j, width, out.shape[1])
                weight = filters[c, i, j]
                for h in range(top, bottom):
                    row, pixels = out[h, left:right], image[y + (h - top) * stride_h, x:]
                    if stride_w == 1:  # a loop of its own, which vectorises
                        for w in range(len(row)):
                            row[w] += weight * pixels[w]
                    else:
                        for w in range(len(row)):
                            row[w] += weight * pixels[w * stride_w]


@njit(cache=True, error_model="numpy", parallel=True)
def add_filters_gradient(images, out_diffs, window, filters_diff):
    """filters_diff += the gradient."""
    channels, height, width = images.shape[1:]
    stride_h, stride_w = window[1]
    for c in prange(channels):
        for n in range(len(images)):
            image, out_diff = images[n, c], out_diffs[n, c]
            for i in range(window[0, 0]):
                top, bottom, y = place(window, 0, 0, i, height, out_diff.shape[0])
                for j in range(window[0, 1]):
                    left, right, x = place(window, 1, 0, j, width, out_diff.shape[1])
                    total = np.float32(0)
                    for h in range(top, bottom):
                        row, pixels = out_diff[h, left:right], image[y + (h - top) * stride_h, x:]
                        for w in range(len(row)):
                            total += row[w] * pixels[w * stride_w]
                    filters_diff[c, i, j] += total


@njit(cache=True, error_model="numpy", parallel=True)
def image_gradient(out_diffs, filters, window, image_diffs):
    """image_diffs = the gradient."""
    channels, height, width = image_diffs.shape[1:]
    stride_h, stride_w = window[1]
    for plane in prange(len(image_diffs) * channels):
        n, c = plane // channels, plane % channels
        image_diff, out_diff = image_diffs[n, c], out_diffs[n, c]
        image_diff[:] = 0
        for i in range(window[0, 0]):
            top, bottom, y = place(window, 0, 0, i, height, out_diff.shape[0])
            for j in range(window[0, 1]):
                left, right, x = place(window, 1, 0, j, width, out_diff.shape[1])
                weight = filters[c, i, j]
                for h in range(top, bottom):
                    row, pixels = out_diff[h, left:right], image_diff[y + (h - top) * stride_h, x:]
                    if stride_w == 1:  # a loop of its own, which vectorises
                        for w in range(len(row)):
                            pixels[w] += weight * row[w]
                    else:
                        for w in range(len(row)):
                            pixels[w * stride_w] += weight * row[w]
