"""Averages of bilinear samples in the bins of RoIs, every bin in its own channel and moved by an offset of its own.

maps: N x (D G G) x H x W; rois: R x 5 (image, x1, y1, x2, y2); offsets: R x 2K x P x P, parts of the RoI's width and
height times `reach`, right first, for each of K groups of the D outputs (K is 0: none). Places are float32.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.rounding import c_round

HALF, LEAST_SIZE = np.float32(0.5), np.float32(0.1)


@piece()
def roi_span(low, high, scale):
    """Where a RoI begins on the map along one axis, and how long it is."""
    start = c_round(np.float32(low)) * scale - HALF
    end = (c_round(np.float32(high)) + np.float32(1)) * scale - HALF
    return start, max(end - start, LEAST_SIZE)


@piece()
def sampled(start, size, bins, index, moved, samples, s, limit):
    """Pixel before and behind sample s of a bin, its distance from the first, and whether it lies on the map."""
    bin_size = size / np.float32(bins)
    place = np.float32(index) * bin_size + start + moved * size
    place += np.float32(s) * (bin_size / np.float32(samples))
    inside = place >= -HALF and place <= np.float32(limit) - HALF
    place = min(max(place, np.float32(0)), np.float32(limit - 1))
    low = np.int64(np.floor(place))
    return low, np.int64(np.ceil(place)), place - np.float32(low), inside


@njit(cache=True, error_model="numpy")
def deformable_psroi_pooling(maps, rois, offsets, scale, reach, samples, top):
    """Write the averages into top (R x D x G x G), 0 where no sample lies on the map."""
    _, outputs, group, _ = top.shape
    _, _, height, width = maps.shape
    groups, parts = offsets.shape[1] // 2, offsets.shape[2]
    for r in range(len(rois)):
        left, wide = roi_span(rois[r, 1], rois[r, 3], scale)
        upper, tall = roi_span(rois[r, 2], rois[r, 4], scale)
        for d in range(outputs):
            for i in range(group):
                for j in range(group):
                    right = down = np.float32(0)
                    if groups:
                        k, y, x = d // (outputs // groups), i * parts // group, j * parts // group
                        right, down = offsets[r, 2 * k, y, x] * reach, offsets[r, 2 * k + 1, y, x] * reach
                    plane = maps[np.int64(rois[r, 0]), (d * group + i) * group + j]
                    total, count = np.float32(0), 0
                    for a in range(samples):
                        y0, y1, v, in_rows = sampled(upper, tall, group, i, down, samples, a, height)
                        for b in range(samples):
                            x0, x1, u, in_columns = sampled(left, wide, group, j, right, samples, b, width)
                            if in_rows and in_columns:
                                total += (1 - v) * ((1 - u) * plane[y0, x0] + u * plane[y0, x1])
                                total += v * ((1 - u) * plane[y1, x0] + u * plane[y1, x1])
                                count += 1
                    top[r, d, i, j] = total / np.float32(max(count, 1))


@njit(cache=True, error_model="numpy")
def deformable_psroi_pooling_backward(
    maps, rois, offsets, scale, reach, samples, top_diff, maps_diff, offsets_diff
):
    """Add the gradients at the maps and at the offsets; an array without elements is left out."""
    _, outputs, group, _ = top_diff.shape
    _, _, height, width = maps.shape
    groups, parts = offsets.shape[1] // 2, offsets.shape[2]
    y0, y1, v = np.empty(samples, np.int64), np.empty(samples, np.int64), np.empty(samples, np.float32)
    x0, x1, u = np.empty(samples, np.int64), np.empty(samples, np.int64), np.empty(samples, np.float32)
    in_rows, in_columns = np.empty(samples, np.bool_), np.empty(samples, np.bool_)
    for r in range(len(rois)):
        n = np.int64(rois[r, 0])
        left, wide = roi_span(rois[r, 1], rois[r, 3], scale)
        upper, tall = roi_span(rois[r, 2], rois[r, 4], scale)
        for d in range(outputs):
            for i in range(group):
                for j in range(group):
                    right = down = np.float32(0)
                    k = y = x = 0
                    if groups:
                        k, y, x = d // (outputs // groups), i * parts // group, j * parts // group
                        right, down = offsets[r, 2 * k, y, x] * reach, offsets[r, 2 * k + 1, y, x] * reach
                    for s in range(samples):
                        y0[s], y1[s], v[s], in_rows[s] = sampled(
                            upper, tall, group, i, down, samples, s, height
                        )
                        x0[s], x1[s], u[s], in_columns[s] = sampled(
                            left, wide, group, j, right, samples, s, width
                        )
                    count = in_rows.sum() * in_columns.sum()
                    if count == 0:
                        continue
                    channel = (d * group + i) * group + j
                    share = top_diff[r, d, i, j] / np.float32(count)
                    for a in range(samples):
                        for b in range(samples):
                            if not (in_rows[a] and in_columns[b]):
                                continue
                            if maps_diff.size:
                                plane = maps_diff[n, channel]
                                plane[y0[a], x0[b]] += (1 - v[a]) * (1 - u[b]) * share
                                plane[y0[a], x1[b]] += (1 - v[a]) * u[b] * share
                                plane[y1[a], x0[b]] += v[a] * (1 - u[b]) * share
                                plane[y1[a], x1[b]] += v[a] * u[b] * share
                            if offsets_diff.size:
                                plane = maps[n, channel]
                                e, f = plane[y0[a], x0[b]], plane[y0[a], x1[b]]
                                g, h = plane[y1[a], x0[b]], plane[y1[a], x1[b]]
                                to_right = (1 - v[a]) * (f - e) + v[a] * (h - g)
                                to_below = (1 - u[b]) * (g - e) + u[b] * (h - f)
                                offsets_diff[r, 2 * k, y, x] += to_right * wide * reach * share
                                offsets_diff[r, 2 * k + 1, y, x] += to_below * tall * reach * share
