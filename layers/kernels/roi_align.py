"""Bilinear samples in RoIs: in bins, averaged or one each, or on a grid. Places are float32, whatever the maps."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared

SAMPLES = 2  # along each side of a bin
AVERAGED, ON_GRID, CENTRED = (
    0,
    1,
    2,
)  # of bins; at each point of a grid; in the middle of what the map has of each bin


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
def centre_lines(low, high, scale, bins, limit):
    """As sample_lines, for the middle of each bin between the map's first and last pixel; a RoI ends a pixel later."""
    before, behind = np.empty(bins, np.int64), np.empty(bins, np.int64)
    near, far = np.empty(bins, np.float32), np.empty(bins, np.float32)
    first = np.float32(low) * scale
    size = max(np.float32(high) * scale - first + np.float32(1), np.float32(1)) / np.float32(bins)
    end = np.float32(limit - 1)
    for s in range(bins):
        start = min(max(np.float32(s) * size + first, np.float32(0)), end)
        stop = min(max(np.float32(s + 1) * size + first, np.float32(0)), end)
        place = (start + stop) / np.float32(2)
        before[s] = np.int64(place)
        behind[s] = min(before[s] + 1, limit - 1)
        far[s] = place - np.float32(before[s])
        near[s] = np.float32(1) - far[s]
    return before, behind, near, far


@piece()
def lines(low, high, scale, form, tops, limit):
    """The places along one axis: SAMPLES for each of `tops` elements where these are AVERAGED, one for each else; none
    on a map without pixels."""
    count = tops if limit > 0 else 0
    if form == ON_GRID:
        return grid_lines(low, high, scale, count, limit)
    if form == CENTRED:
        return centre_lines(low, high, scale, count, limit)
    return sample_lines(low, high, scale, count, limit)


@piece()
def leave_out(low, high, scale, form, sampled):
    """Set the weights to 0 of pixels that take no gradient: CENTRED, those more than a pixel beside the RoI."""
    before, behind, near, far = sampled
    if form == CENTRED:
        first, last = np.float32(low) * scale - np.float32(1), np.float32(high) * scale + np.float32(1)
        for s in range(len(before)):
            near[s] = near[s] if first <= np.float32(before[s]) <= last else np.float32(0)
            far[s] = far[s] if first <= np.float32(behind[s]) <= last else np.float32(0)
    return before, behind, near, far


@shared()
def roi_align(maps, rois, scale, form, top, part, parts):
    """Write the samples into top (R x C x PH x PW). maps: N x C x H x W; rois: R x 5 (image, x1, y1, x2, y2).

    form: AVERAGED, ON_GRID or CENTRED.
    """
    _, channels, bins_h, bins_w = top.shape
    _, _, height, width = maps.shape
    samples = SAMPLES if form == AVERAGED else 1
    share = np.float32(1) / np.float32(samples * samples)
    for r in range(*share_of(len(rois), part, parts)):
        y0, y1, v0, v1 = lines(rois[r, 2], rois[r, 4], scale, form, bins_h, height)
        x0, x1, u0, u1 = lines(rois[r, 1], rois[r, 3], scale, form, bins_w, width)
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
def roi_align_backward(rois, scale, form, top_diff, diff, part, parts):
    """Write the gradient at the maps into diff: each sample's goes to its four pixels, as they weigh.

    Every thread has its own channels, so the sums are always taken in the order of the RoIs.
    """
    _, _, bins_h, bins_w = top_diff.shape
    _, channels, height, width = diff.shape
    samples = SAMPLES if form == AVERAGED else 1
    share = np.float32(1) / np.float32(samples * samples)
    for c in range(*share_of(channels, part, parts)):
        diff[:, c] = np.float32(0)
        for r in range(len(rois)):
            rows = lines(rois[r, 2], rois[r, 4], scale, form, bins_h, height)
            y0, y1, v0, v1 = leave_out(rois[r, 2], rois[r, 4], scale, form, rows)
            columns = lines(rois[r, 1], rois[r, 3], scale, form, bins_w, width)
            x0, x1, u0, u1 = leave_out(rois[r, 1], rois[r, 3], scale, form, columns)
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
