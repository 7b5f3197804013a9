"""Averages over the bins of RoIs, every bin in its own channel.

Bins are placed in float32, whatever the maps are: another precision moves floor and ceil.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.rounding import c_round
from caffe_compat.layers.kernels.shared import share_of, shared

LEAST_SIZE = np.float32(0.1)


@piece()
def bin_range(index, low, high, scale, bins, limit):
    """Return the rows (or columns) of one bin of a RoI from low to high, clipped to 0..limit; the end not included."""
    start = c_round(np.float32(low)) * scale
    end = (c_round(np.float32(high)) + np.float32(1)) * scale
    size = max(end - start, LEAST_SIZE) / np.float32(bins)
    first = np.int64(np.floor(np.float32(index) * size + start))
    last = np.int64(np.ceil(np.float32(index + 1) * size + start))
    return min(max(first, 0), limit), min(max(last, 0), limit)


@shared()
def psroi_pooling(maps, rois, scale, top, part, parts):
    """Write the means into top (R x D x G x G). maps: N x (D G G) x H x W; rois: R x 5 (image, x1, y1, x2, y2)."""
    _, outputs, group, _ = top.shape
    _, _, height, width = maps.shape
    for r in range(*share_of(len(rois), part, parts)):
        n = np.int64(rois[r, 0])
        for i in range(group):
            h_start, h_end = bin_range(i, rois[r, 2], rois[r, 4], scale, group, height)
            for j in range(group):
                w_start, w_end = bin_range(j, rois[r, 1], rois[r, 3], scale, group, width)
                empty = h_end <= h_start or w_end <= w_start
                area = maps.dtype.type(1 if empty else (h_end - h_start) * (w_end - w_start))
                for d in range(outputs):
                    plane = maps[n, (d * group + i) * group + j]
                    total = np.float32(0)
                    for h in range(h_start, h_end):
                        for w in range(w_start, w_end):
                            total += plane[h, w]
                    top[r, d, i, j] = total / area


@shared()
def psroi_pooling_backward(rois, scale, top_diff, diff, part, parts):
    """Write the gradient at the maps into diff: each bin's is shared out over its pixels.

    Every thread has its own channels, so the sums are always taken in the order of the RoIs.
    """
    group = top_diff.shape[2]
    _, channels, height, width = diff.shape
    for c in range(*share_of(channels, part, parts)):
        d, i, j = c // (group * group), c // group % group, c % group
        diff[:, c] = np.float32(0)
        for r in range(len(rois)):
            h_start, h_end = bin_range(i, rois[r, 2], rois[r, 4], scale, group, height)
            w_start, w_end = bin_range(j, rois[r, 1], rois[r, 3], scale, group, width)
            if h_end > h_start and w_end > w_start:
                plane = diff[np.int64(rois[r, 0]), c]
                share = top_diff[r, d, i, j] / diff.dtype.type((h_end - h_start) * (w_end - w_start))
                for h in range(h_start, h_end):
                    for w in range(w_start, w_end):
                        plane[h, w] += share
