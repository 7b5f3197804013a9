"""Max pooling of regions that are the ring between two rectangles.

All bins are computed in float32, whatever the maps are: another precision moves floor and ceil.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.roi_pooling import bin_range, gets_gradient
from caffe_compat.layers.kernels.shared import share_of, shared


@piece()
def region_span(low, high, offset, scale):
    """The first and the last row (or column) on the map of a rectangle, and one pixel of it where these cross."""
    one = np.float32(1)
    first = np.int64(np.floor(np.float64((np.float32(low) + one + offset) * scale) + 0.5))
    last = np.int64(np.ceil(np.float64((np.float32(high) + one - offset) * scale) - 0.5))
    if first > last:
        middle = np.int64(np.trunc((first + last) / 2))
        return middle, middle
    return first, last


@shared()
def region_pooling(maps, regions, offset, scale, top, where, part, parts):
    """Write the maximum of each bin, 0 at least, and the pixel that has it, -1 where none is above 0.

    maps: N x C x H x W; regions: R x 9: image, outer x1 y1 x2 y2, inner x1 y1 x2 y2; top: R x C x PH x PW; where:
    int32, the same. A pixel is -1 too where Caffe's backward does not find it from the maps: behind the rectangle.
    """
    _, channels, bins_h, bins_w = top.shape
    height, width = maps.shape[2:]
    for r in range(*share_of(top.shape[0], part, parts)):
        image = maps[np.int64(regions[r, 0])]
        left, right = region_span(regions[r, 1], regions[r, 3], offset, scale)
        upper, lower = region_span(regions[r, 2], regions[r, 4], offset, scale)
        left_in, right_in = region_span(regions[r, 5], regions[r, 7], offset, scale)
        upper_in, lower_in = region_span(regions[r, 6], regions[r, 8], offset, scale)
        bin_w = np.float32(right - left + 1) / np.float32(bins_w)
        bin_h = np.float32(lower - upper + 1) / np.float32(bins_h)
        for ph in range(bins_h):
            h_start, h_end = bin_range(ph, upper, bin_h, height)
            for pw in range(bins_w):
                w_start, w_end = bin_range(pw, left, bin_w, width)
                for c in range(channels):
                    best, place = top.dtype.type(0), -1
                    for h in range(h_start, h_end):
                        inside = upper_in < h < lower_in
                        for w in range(w_start, w_end):
                            if not (inside and left_in < w < right_in) and image[c, h, w] > best:
                                best, place = image[c, h, w], h * width + w
                    if place >= 0:
                        h, w = place // width, place % width
                        if not (
                            gets_gradient(h, ph, upper, lower, bin_h)
                            and gets_gradient(w, pw, left, right, bin_w)
                        ):
                            place = -1
                    top[r, c, ph, pw], where[r, c, ph, pw] = best, place


@njit(cache=True, error_model="numpy")
def region_pooling_backward(regions, where, top_diff, diff):
    """Add each bin's gradient to the pixel that it comes from, in diff (N x C x H x W)."""
    count, channels, bins_h, bins_w = top_diff.shape
    width = diff.shape[3]
    for r in range(count):
        n = np.int64(regions[r, 0])
        for c in range(channels):
            for ph in range(bins_h):
                for pw in range(bins_w):
                    place = where[r, c, ph, pw]
                    if place >= 0:
                        diff[n, c, place // width, place % width] += top_diff[r, c, ph, pw]
