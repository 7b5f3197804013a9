"""Bilinear samples in RoIs: in bins, averaged, or on a grid. Places are in float32, whatever the maps are."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared

SAMPLES = 2  # along each side of a bin
GRID = 1  # one sample at each point of a grid


@piece()
def sample_lines(low, high, scale, bins, limit):
    """Where the samples of a RoI from low to high lie along one axis of a map of `limit` pixels.

    Returns the pixel before and the pixel behind each of the bins * SAMPLES, and their two weights, 0 and 0 for a
    sample outside of the map.
    """
    count = bins * SAMPLES
    before, behind = np.empty(count, np.int64), np.empty(count, np.int64)
    near, far = np.empty(count, np.float32), np.empty(count, np.float32)
    first = np.float32(low) * scale
    size = max(np.float32(high) * scale - first, np.float32(1)) / np.float32(bins)
    for s in range(count):
        step = (np.float32(s % SAMPLES) + np.float32(0.5)) * size / np.float32(SAMPLES)
        place = first + np.float32(s // SAMPLES) * size + step
        inside = place >= np.float32(-1) and place <= np.float32(limit)
        place = min(max(place, np.float32(0)), np.float32(limit - 1))
        before[s] = np.int64(place)
        behind[s] = min(before[s] + 1, limit - 1)
        far[s] = place - np.float32(before[s]) if inside else np.float32(0)
        near[s] = np.float32(1) - far[s] if inside else np.float32(0)
    return before, behind, near, far


@piece()
def grid_lines(low, high, scale, count, limit):
    """As sample_lines, for `count` places from one side of the RoI to the other; a pixel's place is its centre."""
    before, behind = np.empty(count, np.int64), np.empty(count, np.int64)
    near, far = np.empty(count, np.float32), np.empty(count, np.float32)
    half = np.float32(0.5)
    first = np.float32(low) * scale - half
    size = np.float32(high) * scale - half - first
    step = size / np.float32(count - 1)
    for s in range(count):
        place = first + np.float32(s) * step
        inside = size > 0 and place >= -half and place <= np.float32(limit) - half
        place = min(max(place, np.float32(0)), np.float32(limit - 1))
        before[s] = np.int64(place)
        behind[s] = min(before[s] + 1, limit - 1)
        far[s] = place - np.float32(before[s]) if inside else np.float32(0)
        near[s] = np.float32(1) - far[s] if inside else np.float32(0)
    return before, behind, near, far


@piece()
def lines(low, high, scale, samples, tops, limit):
    """The places along one axis of which each of `tops` elements averages `samples`; with GRID they are grid_lines."""
    if samples == GRID:
        return grid_lines(low, high, scale, tops, limit)
    return sample_lines(low, high, scale, tops, limit)


@shared()
def roi_align(maps, rois, scale, samples, top, part, parts):
    """Write the averages into top (R x C x PH x PW). maps: N x C x H x W; rois: R x 5 (image, x1, y1, x2, y2).

    samples: along each side of a bin, SAMPLES or GRID.
    """
    _, channels, bins_h, bins_w = top.shape
    _, _, height, width = maps.shape
    share = np.float32(1) / np.float32(samples * samples)
    for r in range(*share_of(len(rois), part, parts)):
        y0, y1, v0, v1 = lines(rois[r, 2], rois[r, 4], scale, samples, bins_h, height)
        x0, x1, u0, u1 = lines(rois[r, 1], rois[r, 3], scale, samples, bins_w, width)
        for c in range(channels):
            plane = maps[np.int64(rois[r, 0]), c]
            top[r, c] = np.float32(0)
            for i in range(len(y0)):
                above, below = plane[y0[i]], plane[y1[i]]
                for j in range(len(x0)):
                    a, b = x0[j], x1[j]
                    value = v0[i] * (u0[j] * above[a] + u1[j] * above[b])
                    value += v1[i] * (u0[j] * below[a] + u1[j] * below[b])
                    top[r, c, i // samples, j // samples] += value * share


@shared()
def roi_align_backward(rois, scale, samples, top_diff, diff, part, parts):
    """Write the gradient at the maps into diff: each sample's goes to its four pixels, as they weigh.

    Every thread has its own channels, so the sums are always taken in the order of the RoIs.
    """
    _, _, bins_h, bins_w = top_diff.shape
    _, channels, height, width = diff.shape
    share = np.float32(1) / np.float32(samples * samples)
    for c in range(*share_of(channels, part, parts)):
        diff[:, c] = np.float32(0)
        for r in range(len(rois)):
            y0, y1, v0, v1 = lines(rois[r, 2], rois[r, 4], scale, samples, bins_h, height)
            x0, x1, u0, u1 = lines(rois[r, 1], rois[r, 3], scale, samples, bins_w, width)
            plane = diff[np.int64(rois[r, 0]), c]
            for i in range(len(y0)):
                above, below = plane[y0[i]], plane[y1[i]]
                for j in range(len(x0)):
                    a, b = x0[j], x1[j]
                    value = top_diff[r, c, i // samples, j // samples] * share
                    above[a] += v0[i] * u0[j] * value
                    above[b] += v0[i] * u1[j] * value
                    below[a] += v1[i] * u0[j] * value
                    below[b] += v1[i] * u1[j] * value
