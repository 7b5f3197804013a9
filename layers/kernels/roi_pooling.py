"""RoI max pooling over feature maps in which the channels are contiguous (N x H x W x C).

All bins are computed in float32, whatever the maps are: another precision moves floor and ceil, and a RoI
gets other pixels.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.rounding import c_round
from caffe_compat.layers.kernels.shared import share_of, shared

FLT_MAX = np.float32(np.finfo(np.float32).max)


@piece()
def roi_span(low, high, scale, bins):
    """Return the first and last row (or column) of a RoI on the map, and the size of one of its bins."""
    first = np.int64(c_round(np.float32(low) * scale))
    last = np.int64(c_round(np.float32(high) * scale))
    return first, last, np.float32(max(last - first + 1, 1)) / np.float32(bins)


@piece()
def bin_range(index, first, bin_size, limit):
    """Return the rows (or columns) of one bin, clipped to 0..limit; the end is not included."""
    start = np.int64(np.floor(np.float32(index) * bin_size)) + first
    end = np.int64(np.ceil(np.float32(index + 1) * bin_size)) + first
    return min(max(start, 0), limit), min(max(end, 0), limit)


@piece()
def gets_gradient(position, index, first, last, bin_size):
    """Whether Caffe's backward pass looks into bin `index` for the row (or column) `position`.

    It works backwards from the position, so a RoI whose end lies before its start gets nothing, nor does a
    pixel that is only in a bin because of rounding.
    """
    offset = position - first
    earliest = np.floor(np.float32(offset) / bin_size)
    end = np.ceil(np.float32(offset + 1) / bin_size)
    return first <= position <= last and earliest <= index < end


@piece()
def greatest(image, h_start, h_end, w_start, w_end, out):
    """out (C) = the maximum over a rectangle of an image (H x W x C), 0 where it is empty; ends are not included."""
    empty = h_end <= h_start or w_end <= w_start
    out[:] = np.float32(0) if empty else -FLT_MAX
    for h in range(h_start, h_end):
        for w in range(w_start, w_end):
            pixel = image[h, w]
            for c in range(len(out)):
                out[c] = pixel[c] if pixel[c] > out[c] else out[c]


@piece()
def _pool(maps, roi, scale, bins):
    """Write the maxima of one RoI (image, x1, y1, x2, y2) into bins (PH x PW x C)."""
    bins_h, bins_w, _ = bins.shape
    _, height, width, _ = maps.shape
    image = maps[np.int64(roi[0])]
    left, _, bin_w = roi_span(roi[1], roi[3], scale, bins_w)
    upper, _, bin_h = roi_span(roi[2], roi[4], scale, bins_h)
    for ph in range(bins_h):
        h_start, h_end = bin_range(ph, upper, bin_h, height)
        for pw in range(bins_w):
            w_start, w_end = bin_range(pw, left, bin_w, width)
            greatest(image, h_start, h_end, w_start, w_end, bins[ph, pw])


@shared()
def roi_pooling(maps, rois, scale, pooled, top, part, parts):
    """Write the maximum of each bin, 0 where the bin is empty, into top (R x C x PH x PW).

    rois: R x 5 (image, x1, y1, x2, y2); scale: float32, from coordinates of the rois to those of the maps.
    pooled: scratch, threads x (PH * PW) x C.
    """
    threads = pooled.shape[0]
    _, channels, bins_h, bins_w = top.shape
    for thread in range(*share_of(threads, part, parts)):
        best = pooled[thread].reshape(bins_h, bins_w, channels)
        for r in range(thread, rois.shape[0], threads):
            _pool(maps, rois[r], scale, best)
            for c in range(channels):
                for ph in range(bins_h):
                    for pw in range(bins_w):
                        top[r, c, ph, pw] = best[ph, pw, c]


@shared()
def roi_pooling_channels_last(maps, rois, scale, top, part, parts):
    """As `roi_pooling`, into a top of R x PH x PW x C."""
    for r in range(*share_of(rois.shape[0], part, parts)):
        _pool(maps, rois[r], scale, top[r])


@shared()
def roi_pooling_backward(maps, rois, scale, top_diff, best, where, diff, part, parts):
    """Write the gradient at the maps into diff (N x H x W x C): each bin's goes to its first greatest pixel.

    best, where (int32): scratch, threads x C each. Every thread has its own channels, so the sums are always
    taken in the order of RoIs and bins, as in Caffe.
    """
    _, channels, bins_h, bins_w = top_diff.shape
    _, height, width, _ = maps.shape
    pixels = diff.reshape(maps.shape[0], height * width, channels)
    threads = best.shape[0]
    for thread in range(*share_of(threads, part, parts)):
        begin, end = thread * channels // threads, (thread + 1) * channels // threads
        most, place = best[thread, begin:end], where[thread, begin:end]
        diff[:, :, :, begin:end] = np.float32(0)
        for r in range(rois.shape[0]):
            n = np.int64(rois[r, 0])
            left, right, bin_w = roi_span(rois[r, 1], rois[r, 3], scale, bins_w)
            upper, lower, bin_h = roi_span(rois[r, 2], rois[r, 4], scale, bins_h)
            for ph in range(bins_h):
                h_start, h_end = bin_range(ph, upper, bin_h, height)
                for pw in range(bins_w):
                    w_start, w_end = bin_range(pw, left, bin_w, width)
                    most[:] = -FLT_MAX
                    place[:] = -1
                    for h in range(h_start, h_end):
                        reached = gets_gradient(h, ph, upper, lower, bin_h)
                        for w in range(w_start, w_end):
                            hit = reached and gets_gradient(w, pw, left, right, bin_w)
                            here = np.int32(h * width + w if hit else -1)
                            pixel = maps[n, h, w, begin:end]
                            for c in range(pixel.size):
                                place[c] = here if pixel[c] > most[c] else place[c]
                                most[c] = pixel[c] if pixel[c] > most[c] else most[c]
                    for c in range(place.size):
                        if place[c] >= 0:
                            pixels[n, place[c], begin + c] += top_diff[r, begin + c, ph, pw]
