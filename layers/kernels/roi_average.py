"""RoI average pooling over feature maps (N x C x H x W), whose bins are those of `roi_pooling`."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.roi_pooling import bin_range, gets_gradient, roi_span
from caffe_compat.layers.kernels.shared import share_of, shared


@shared()
def roi_average(maps, rois, scale, top, part, parts):
    """Write the mean of each bin, 0 where the bin is empty, into top (R x C x PH x PW)."""
    _, channels, bins_h, bins_w = top.shape
    _, _, height, width = maps.shape
    for r in range(*share_of(rois.shape[0], part, parts)):
        image = maps[np.int64(rois[r, 0])]
        left, _, bin_w = roi_span(rois[r, 1], rois[r, 3], scale, bins_w)
        upper, _, bin_h = roi_span(rois[r, 2], rois[r, 4], scale, bins_h)
        for ph in range(bins_h):
            h_start, h_end = bin_range(ph, upper, bin_h, height)
            for pw in range(bins_w):
                w_start, w_end = bin_range(pw, left, bin_w, width)
                size = maps.dtype.type(max(h_end - h_start, 0) * max(w_end - w_start, 0))
                for c in range(channels):
                    total = maps.dtype.type(0)
                    for h in range(h_start, h_end):
                        for w in range(w_start, w_end):
                            total += image[c, h, w]
                    top[r, c, ph, pw] = total / size if size > 0 else maps.dtype.type(0)


@shared()
def roi_average_backward(rois, scale, top_diff, diff, part, parts):
    """Write the gradient at the maps into diff (N x C x H x W): each bin's is shared out over its pixels.

    Every thread has its own channels, so the sums are always taken in the order of the RoIs and bins.
    """
    rows, channels, bins_h, bins_w = top_diff.shape
    _, _, height, width = diff.shape
    for c in range(*share_of(channels, part, parts)):
        diff[:, c] = diff.dtype.type(0)
        for r in range(rows):
            plane = diff[np.int64(rois[r, 0]), c]
            left, right, bin_w = roi_span(rois[r, 1], rois[r, 3], scale, bins_w)
            upper, lower, bin_h = roi_span(rois[r, 2], rois[r, 4], scale, bins_h)
            for ph in range(bins_h):
                h_start, h_end = bin_range(ph, upper, bin_h, height)
                for pw in range(bins_w):
                    w_start, w_end = bin_range(pw, left, bin_w, width)
                    size = max(h_end - h_start, 0) * max(w_end - w_start, 0)
                    share = top_diff[r, c, ph, pw] / diff.dtype.type(max(size, 1))
                    for h in range(h_start, h_end):
                        for w in range(w_start, w_end):
                            if gets_gradient(h, ph, upper, lower, bin_h) and gets_gradient(
                                w, pw, left, right, bin_w
                            ):
                                plane[h, w] += share
