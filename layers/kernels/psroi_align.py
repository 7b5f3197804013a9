"""Averages of bilinear samples in the bins of RoIs, every bin in its own channel. All places are float32."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared

LEAST_SIZE = np.float32(0.1)


@piece()
def bin_samples(index, low, high, scale, bins, count, limit, places):
    """Write the places of a bin's samples along one axis into places (count), and return how many there are, and the
    first pixel and the end of those that get a gradient.

    A sample that the map's end pushes out of the bin is none.
    """
    start = np.float32(low) * scale
    end = (np.float32(high) + np.float32(1)) * scale
    size = max(end - start, LEAST_SIZE) / np.float32(bins)
    near, far = np.float32(index) * size + start, np.float32(index + 1) * size + start
    first, last = np.int64(np.floor(near)), np.int64(np.ceil(far))
    border = np.float32(limit - 1)
    near = min(max(near, np.float32(0)), border)
    far = min(max(far, np.float32(0)), border)
    step = size / np.float32(count + 1)
    found = 0
    for i in range(count):
        place = near + np.float32(i + 1) * step
        if place < far:
            places[found] = place
            found += 1
    return found, min(max(first, 0), limit), min(max(last, 0), limit)


@piece()
def sample(plane, h, w):
    """The bilinear value at a place inside the plane."""
    height, width = plane.shape
    upper, left = min(np.int64(h), height - 1), min(np.int64(w), width - 1)
    lower, right = min(upper + 1, height - 1), min(left + 1, width - 1)
    down, along = h - np.float32(upper), w - np.float32(left)
    one = np.float32(1)
    return (one - down) * ((one - along) * plane[upper, left] + along * plane[upper, right]) + down * (
        (one - along) * plane[lower, left] + along * plane[lower, right]
    )


@shared()
def psroi_align(maps, rois, scale, samples, top, part, parts):
    """Write the means into top (R x D x G x G). maps: N x (D G G) x H x W; rois: R x 5 (image, x1, y1, x2, y2)."""
    _, outputs, group, _ = top.shape
    _, _, height, width = maps.shape
    share = maps.dtype.type(samples * samples)
    for r in range(*share_of(len(rois), part, parts)):
        n = np.int64(rois[r, 0])
        hs, ws = np.empty(samples, np.float32), np.empty(samples, np.float32)
        for i in range(group):
            h_count, _, _ = bin_samples(i, rois[r, 2], rois[r, 4], scale, group, samples, height, hs)
            for j in range(group):
                w_count, _, _ = bin_samples(j, rois[r, 1], rois[r, 3], scale, group, samples, width, ws)
                for d in range(outputs):
                    plane = maps[n, (d * group + i) * group + j]
                    total = maps.dtype.type(0)
                    for h in hs[:h_count]:
                        for w in ws[:w_count]:
                            total += sample(plane, h, w)
                    top[r, d, i, j] = total / share


@shared()
def psroi_align_backward(rois, scale, samples, top_diff, diff, part, parts):
    """Write the gradient at the maps into diff: each sample's goes to the pixels around it that the bin touches.

    Every thread has its own channels, so the sums are always taken in the order of the RoIs.
    """
    group = top_diff.shape[2]
    _, channels, height, width = diff.shape
    for c in range(*share_of(channels, part, parts)):
        d, i, j = c // (group * group), c // group % group, c % group
        diff[:, c] = diff.dtype.type(0)
        hs, ws = np.empty(samples, np.float32), np.empty(samples, np.float32)
        for r in range(len(rois)):
            h_count, top_row, end_row = bin_samples(
                i, rois[r, 2], rois[r, 4], scale, group, samples, height, hs
            )
            w_count, left, end = bin_samples(j, rois[r, 1], rois[r, 3], scale, group, samples, width, ws)
            plane = diff[np.int64(rois[r, 0]), c]
            share = top_diff[r, d, i, j] / diff.dtype.type(samples * samples)
            for h in hs[:h_count]:
                for w in ws[:w_count]:
                    row, column = np.int64(h), np.int64(w)
                    for y in range(max(row, top_row), min(row + 2, end_row)):
                        for x in range(max(column, left), min(column + 2, end)):
                            down = np.float32(1) - abs(h - np.float32(y))
                            along = np.float32(1) - abs(w - np.float32(x))
                            if down > 0 and along > 0:
                                plane[y, x] += down * along * share
