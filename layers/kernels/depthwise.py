"""Convolution of each channel with one filter of its own.

Arrays: images N x C x H x W, filters C x kernel_h x kernel_w, outs N x C x H' x W'; window int64 4 x 2, the kernel,
stride, pad and dilation of height and width.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.im2col import place
from caffe_compat.layers.kernels.interleave import interleave
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared


@shared()
def filter_planes(images, filters, bias, window, outs, part, parts):
    """outs = filters * images + bias."""
    channels, height, width = images.shape[1:]
    stride_h, stride_w = window[1]
    for plane in range(*share_of(len(images) * channels, part, parts)):
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


@shared()
def add_filters_gradient(images, out_diffs, window, filters_diff, part, parts):
    """filters_diff += the gradient."""
    channels, height, width = images.shape[1:]
    stride_h, stride_w = window[1]
    for c in range(*share_of(channels, part, parts)):
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


@piece()
def _spread(out_diff, filters, window, y, phases):
    """phases (stride_w x pixels) = the gradient of row y of a plane: of every stride_w-th pixel, from each phase on."""
    stride_h, stride_w = window[1]
    phases[:] = 0
    for i in range(window[0, 0]):
        h, rest = divmod(y + window[2, 0] - i * window[3, 0], stride_h)
        if rest or not 0 <= h < len(out_diff):
            continue
        for j in range(window[0, 1]):
            # from the column of the image that the first output sees through this tap
            first, phase = divmod(j * window[3, 1] - window[2, 1], stride_w)
            low, high = max(first, 0), min(first + out_diff.shape[1], phases.shape[1])
            if low < high:
                row, pixels = phases[phase, low:high], out_diff[h, low - first : high - first]
                weight = filters[i, j]
                for w in range(len(row)):
                    row[w] += weight * pixels[w]


@piece()
def _interleave(phases, row):
    """row = the pixels of its phases."""
    stride, width = len(phases), len(row)
    if stride == 2:
        interleave(phases[0], phases[1, : width // 2], row)
    else:
        for w in range(width):
            row[w] = phases[w % stride, w // stride]


@shared()
def image_gradient(out_diffs, filters, window, image_diffs, part, parts):
    """image_diffs = the gradient."""
    channels, height, width = image_diffs.shape[1:]
    stride = window[1, 1]
    for plane in range(*share_of(len(image_diffs) * channels, part, parts)):
        n, c = plane // channels, plane % channels
        phases = np.empty((stride, -(-width // stride)), image_diffs.dtype)
        for y in range(height):
            _spread(out_diffs[n, c], filters[c], window, y, phases)
            _interleave(phases, image_diffs[n, c, y])
