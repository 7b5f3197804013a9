"""RoI max pooling in which a RoI of fewer rows or columns than bins is enlarged there (N x C x H x W).

A side that is enlarged is interpolated linearly between its first and last pixel, to one place a bin. All places are
float32. A pixel of a RoI beyond the map is the map's nearest one.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.roi_pooling import FLT_MAX, bin_range, gets_gradient
from caffe_compat.layers.kernels.rounding import c_round
from caffe_compat.layers.kernels.shared import share_of, shared


@piece()
def clipped_span(low, high, scale, limit):
    """The first and last row (or column) of a RoI; clipped at the size of the image, as in the original."""
    image = np.int64(c_round(np.float32(limit) / scale))
    first = max(np.int64(c_round(np.float32(low) * scale)), 0)
    return first, min(np.int64(c_round(np.float32(high) * scale)), image - 1)


@piece()
def place_of(index, size, count):
    """Where number `index` of `count` places lies between the `size` pixels: the pixel before it, and how far on."""
    step = np.float32(size - 1) / np.float32(count - 1) if count > 1 else np.float32(0)
    place = step * np.float32(index)
    before = np.int64(np.floor(place))
    return before, place - np.float32(before)


@piece()
def pixel(plane, h, w, first, size):
    """Pixel (h, w) of a RoI, 0 behind its end; first, size: of rows and columns."""
    if h >= size[0] or w >= size[1]:
        return plane.dtype.type(0)
    height, width = plane.shape
    return plane[min(max(first[0] + h, 0), height - 1), min(max(first[1] + w, 0), width - 1)]


@piece()
def between(near, far, share):
    return share * far + (near - near * share)


@piece()
def sample(plane, h, w, first, size, count):
    """The RoI's value at place (h, w) of count[0] x count[1]."""
    upper, down = place_of(h, size[0], count[0])
    left, right = place_of(w, size[1], count[1])
    above = between(pixel(plane, upper, left, first, size), pixel(plane, upper, left + 1, first, size), right)
    if down == 0:
        return above
    below = between(
        pixel(plane, upper + 1, left, first, size), pixel(plane, upper + 1, left + 1, first, size), right
    )
    return between(above, below, down)


@piece()
def bin_sizes(size, bins):
    """How many rows and columns of places a bin has: one where they are enlarged."""
    high = np.float32(size[0]) / np.float32(bins[0])
    wide = np.float32(size[1]) / np.float32(bins[1])
    if high >= 1 and wide >= 1:
        return high, wide
    return max(high, np.float32(1)), max(wide, np.float32(1))


@piece()
def greatest_place(plane, rows, columns, first, size, count):
    """The greatest sample of a rectangle of places, 0 where it is empty, and its row and column, or -1."""
    best, h_best, w_best = plane.dtype.type(-FLT_MAX), -1, -1
    if rows[1] <= rows[0] or columns[1] <= columns[0]:
        best = plane.dtype.type(0)
    for h in range(rows[0], rows[1]):
        for w in range(columns[0], columns[1]):
            value = sample(plane, h, w, first, size, count)
            if value > best:
                best, h_best, w_best = value, h, w
    return best, h_best, w_best


@piece()
def greatest_pixel(plane, rows, columns):
    """The greatest pixel of a rectangle, 0 where it is empty, and its row and column, or -1."""
    best, h_best, w_best = plane.dtype.type(-FLT_MAX), -1, -1
    if rows[1] <= rows[0] or columns[1] <= columns[0]:
        best = plane.dtype.type(0)
    for h in range(rows[0], rows[1]):
        for w in range(columns[0], columns[1]):
            if plane[h, w] > best:
                best, h_best, w_best = plane[h, w], h, w
    return best, h_best, w_best


@piece()
def pool_bin(plane, ph, pw, first, size, bins):
    """The value of one bin, and the row and column of its maximum: on the map, or in the RoI if that is enlarged."""
    height, width = plane.shape
    if size[0] >= bins[0] and size[1] >= bins[1]:
        rows = bin_range(ph, first[0], np.float32(size[0]) / np.float32(bins[0]), height)
        columns = bin_range(pw, first[1], np.float32(size[1]) / np.float32(bins[1]), width)
        return greatest_pixel(plane, rows, columns)
    if size[0] <= bins[0] and size[1] <= bins[1]:
        return sample(plane, ph, pw, first, size, bins), -1, -1
    bin_h, bin_w = bin_sizes(size, bins)
    rows, columns = bin_range(ph, 0, bin_h, height), bin_range(pw, 0, bin_w, width)
    return greatest_place(plane, rows, columns, first, size, (max(size[0], bins[0]), max(size[1], bins[1])))


@piece()
def box_of(roi, scale, height, width):
    """First, last row and column of a RoI (image, x1, y1, x2, y2), and how many there are, 1 at least."""
    top, bottom = clipped_span(roi[2], roi[4], scale, height)
    left, right = clipped_span(roi[1], roi[3], scale, width)
    return (top, left), (bottom, right), (max(bottom - top + 1, 1), max(right - left + 1, 1))


@shared()
def ca_roi_pooling(maps, rois, scale, top, part, parts):
    """Write the value of each bin into top (R x C x PH x PW). rois: R x 5 (image, x1, y1, x2, y2); scale: float32."""
    _, channels, bins_h, bins_w = top.shape
    _, _, height, width = maps.shape
    for r in range(*share_of(rois.shape[0], part, parts)):
        first, _, size = box_of(rois[r], scale, height, width)
        for c in range(channels):
            plane = maps[np.int64(rois[r, 0]), c]
            for ph in range(bins_h):
                for pw in range(bins_w):
                    top[r, c, ph, pw] = pool_bin(plane, ph, pw, first, size, (bins_h, bins_w))[0]


@piece()
def weights_of(index, size, out):
    """Write into out what each bin of an enlarged side counts for pixel `index` of `size`.

    The original looks so many bins to each side of the pixel's place as there are whole bins a pixel, less one where
    the place is none of a bin; of one pixel it takes the first bin so many times.
    """
    bins = out.size
    reach = bins // size
    out[:] = np.float32(0)
    if size == 1:
        out[0] = np.float32(reach)
        return
    step = np.float32(bins - 1) / np.float32(size - 1)
    place = step * np.float32(index)
    low, high = np.floor(place), np.ceil(place)
    for i in range(reach + 1 if low == place else reach):
        before, behind = np.int64(low) - i, np.int64(high) + i
        near = (step - (place - np.float32(before))) / step
        far = (step - (np.float32(behind) - place)) / step
        if before == behind:
            near = far = np.float32(0.5)
        if before >= 0:
            out[before] += near
        if behind < bins:
            out[behind] += far


@piece()
def spread_both(top_diff, first, last, size, of_rows, of_columns, plane):
    """Add to a plane what the bins of a RoI hand down that is enlarged on both sides."""
    height, width = plane.shape
    for h in range(first[0], min(last[0] + 1, height)):
        weights_of(h - first[0], size[0], of_rows)
        for w in range(first[1], min(last[1] + 1, width)):
            weights_of(w - first[1], size[1], of_columns)
            total = plane.dtype.type(0)
            for ph in range(of_rows.size):
                for pw in range(of_columns.size):
                    total += of_rows[ph] * of_columns[pw] * top_diff[ph, pw]
            plane[h, w] += total


@piece()
def weighted(values, weights):
    total = values.dtype.type(0)
    for i in range(weights.size):
        total += weights[i] * values[i]
    return total


@piece()
def spread(plane, top_diff, first, last, size, of_rows, of_columns, out):
    """Add to out what the bins of a RoI hand down to the greatest of their pixels, or places.

    Of an enlarged side all bins hand down to the pixel; of the other one the original takes a row (or column) of the
    RoI for one of the map.
    """
    bins_h, bins_w = top_diff.shape
    height, width = plane.shape
    bins = bins_h, bins_w
    bin_h, bin_w = bin_sizes(size, bins)
    more_columns, more_rows = size[1] < bins_w, size[0] < bins_h
    for ph in range(bins_h):
        for pw in range(bins_w):
            _, h, w = pool_bin(plane, ph, pw, first, size, bins)
            if h < 0 or (more_rows and ph >= size[0]) or (more_columns and pw >= size[1]):
                continue
            share = top_diff[ph, pw]
            if more_columns:
                weights_of(pw, size[1], of_columns)
                share, w = weighted(top_diff[ph], of_columns), first[1] + pw
            if more_rows:
                weights_of(ph, size[0], of_rows)
                share, h = weighted(top_diff[:, pw], of_rows), first[0] + ph
            if h < height and w < width:
                in_rows = gets_gradient(h, ph, first[0], last[0], bin_h)
                if in_rows and gets_gradient(w, pw, first[1], last[1], bin_w):
                    out[h, w] += share


@shared()
def ca_roi_pooling_backward(maps, rois, scale, top_diff, diff, part, parts):
    """Write the gradient at the maps into diff (N x C x H x W), as the original's GPU takes it.

    Every thread has its own channels, so the sums are always taken in the order of RoIs and bins.
    """
    _, channels, bins_h, bins_w = top_diff.shape
    _, _, height, width = maps.shape
    of_rows, of_columns = np.empty(bins_h, np.float32), np.empty(bins_w, np.float32)
    for c in range(*share_of(channels, part, parts)):
        diff[:, c] = diff.dtype.type(0)
        for r in range(rois.shape[0]):
            n, bins_diff = np.int64(rois[r, 0]), top_diff[r, c]
            first, last, size = box_of(rois[r], scale, height, width)
            pooled = size[0] >= bins_h and size[1] >= bins_w
            if pooled or size[0] > bins_h or size[1] > bins_w:
                spread(maps[n, c], bins_diff, first, last, size, of_rows, of_columns, diff[n, c])
            else:
                spread_both(bins_diff, first, last, size, of_rows, of_columns, diff[n, c])
