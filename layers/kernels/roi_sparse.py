"""Max pooling of RoIs over every second pixel of the bins of `roi_pooling`."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.roi_pooling import bin_range, gets_gradient, roi_span
from caffe_compat.layers.kernels.shared import share_of, shared

STEP = 2


@shared()
def roi_sparse(maps, rois, scale, where, top, part, parts):
    """Write the maximum of each bin of maps (N x C x H x W), 0 where the bin is empty, into top (R x C x PH x PW).

    where (int32, like top): the pixel that has it, counted along the rows; -1 in an empty bin.
    """
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
                for c in range(channels):
                    best, at = maps.dtype.type(0), np.int64(-1)
                    for h in range(h_start, h_end, STEP):
                        for w in range(w_start, w_end, STEP):
                            if at < 0 or image[c, h, w] > best:
                                best, at = image[c, h, w], h * width + w
                    top[r, c, ph, pw] = best
                    where[r, c, ph, pw] = at


@shared()
def roi_sparse_backward(rois, scale, where, top_diff, diff, part, parts):
    """Write the gradient at the maps into diff (N x C x H x W): each bin's goes to its maximum.

    Every thread has its own channels, so the sums are always taken in the order of the RoIs and bins.
    """
    rows, channels, bins_h, bins_w = top_diff.shape
    width = diff.shape[3]
    for c in range(*share_of(channels, part, parts)):
        diff[:, c] = diff.dtype.type(0)
        for r in range(rows):
            plane = diff[np.int64(rois[r, 0]), c]
            left, right, bin_w = roi_span(rois[r, 1], rois[r, 3], scale, bins_w)
            upper, lower, bin_h = roi_span(rois[r, 2], rois[r, 4], scale, bins_h)
            for ph in range(bins_h):
                for pw in range(bins_w):
                    at = np.int64(where[r, c, ph, pw])
                    h, w = at // width, at % width
                    if (
                        at >= 0
                        and gets_gradient(h, ph, upper, lower, bin_h)
                        and gets_gradient(w, pw, left, right, bin_w)
                    ):
                        plane[h, w] += top_diff[r, c, ph, pw]
