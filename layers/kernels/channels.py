"""One number a channel: arrays are outer x channels x inner, what belongs to a channel has `channels` elements."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared

SUMS = {"reassoc", "nsz", "contract"}  # the order of additions is free: only so they are vectorised


@piece()
def _affine(x, c, centre, scale, bias, kept, keeps, y):
    """Write (x - centre) * scale + bias of a channel into y (may be x); before, where it `keeps`, x into kept."""
    outer, _, inner = x.shape
    for n in range(outer):
        if keeps:
            for i in range(inner):
                kept[n, c, i] = x[n, c, i]
        for i in range(inner):
            y[n, c, i] = (x[n, c, i] - centre) * scale + bias


@piece(fastmath=SUMS)
def _moments(x, c):
    """A channel's mean, and its mean square distance from that."""
    outer, _, inner = x.shape
    total = 0.0
    for n in range(outer):
        row = x.dtype.type(0)
        for i in range(inner):
            row += x[n, c, i]
        total += row
    mean = x.dtype.type(total / (outer * inner))
    squares = 0.0
    for n in range(outer):
        row = x.dtype.type(0)
        for i in range(inner):
            distance = x[n, c, i] - mean
            row += distance * distance
        squares += row
    return mean, x.dtype.type(squares / (outer * inner))


@piece(fastmath=SUMS)
def _sums(diff, x, c, centre):
    """A channel's sums of diff, and of diff * (x - centre)."""
    outer, _, inner = x.shape
    total, product = 0.0, 0.0
    for n in range(outer):
        part_total, part_product = x.dtype.type(0), x.dtype.type(0)
        for i in range(inner):
            part_total += diff[n, c, i]
            part_product += diff[n, c, i] * (x[n, c, i] - centre)
        total += part_total
        product += part_product
    return x.dtype.type(total), x.dtype.type(product)


@shared()
def affine(x, centre, scale, bias, kept, keeps, y, part, parts):
    """Write (x - centre) * scale + bias into y (may be x), and where it `keeps`, x into kept."""
    for c in range(*share_of(x.shape[1], part, parts)):
        _affine(x, c, centre[c], scale[c], bias[c], kept, keeps, y)


@shared()
def moments(x, mean, variance, part, parts):
    """Write each channel's mean, and its mean square distance from that."""
    for c in range(*share_of(x.shape[1], part, parts)):
        mean[c], variance[c] = _moments(x, c)


@shared()
def standardize(x, eps, scale, bias, kept, keeps, mean, variance, factor, y, part, parts):
    """Write each channel's moments, one over its standard deviation (factor), and (x - mean) * factor * scale + bias
    into y (may be x); where it `keeps`, x into kept. A channel is still in the cache when it is read again."""
    for c in range(*share_of(x.shape[1], part, parts)):
        mean[c], variance[c] = _moments(x, c)
        factor[c] = x.dtype.type(1) / np.sqrt(variance[c] + eps)
        _affine(x, c, mean[c], factor[c] * scale[c], bias[c], kept, keeps, y)


@shared()
def sums(diff, x, centre, total, product, part, parts):
    """Write each channel's sums of diff, and of diff * (x - centre)."""
    for c in range(*share_of(x.shape[1], part, parts)):
        total[c], product[c] = _sums(diff, x, c, centre[c])


@shared()
def standardize_backward(x, mean, factor, scale, diff, total, product, x_diff, part, parts):
    """Write the sums, and the gradient at x of what `standardize` makes of it into x_diff (may be diff)."""
    outer, channels, inner = x.shape
    count = x.dtype.type(outer * inner)
    for c in range(*share_of(channels, part, parts)):
        centre, diff_scale = mean[c], factor[c] * scale[c]
        total[c], product[c] = _sums(diff, x, c, centre)
        x_scale = -product[c] * factor[c] * factor[c] * diff_scale / count
        bias = -total[c] * diff_scale / count
        for n in range(outer):
            for i in range(inner):
                x_diff[n, c, i] = diff[n, c, i] * diff_scale + (x[n, c, i] - centre) * x_scale + bias


@shared()
def scale_backward(x, scale, diff, total, product, x_diff, part, parts):
    """Write the sums, and diff * scale into x_diff (may be diff)."""
    outer, channels, inner = x.shape
    for c in range(*share_of(channels, part, parts)):
        total[c], product[c] = _sums(diff, x, c, x.dtype.type(0))
        for n in range(outer):
            for i in range(inner):
                x_diff[n, c, i] = diff[n, c, i] * scale[c]


@shared()
def prelu(x, slope, y, part, parts):
    """Write x where it is above 0, slope * x elsewhere; y may be x."""
    outer, channels, inner = x.shape
    for c in range(*share_of(channels, part, parts)):
        for n in range(outer):
            for i in range(inner):
                y[n, c, i] = x[n, c, i] * (x.dtype.type(1) if x[n, c, i] > 0 else slope[c])


@shared()
def prelu_backward(x, diff, slope, x_diff, part, parts):
    """Write diff where x is above 0, slope * diff elsewhere; x_diff may be diff."""
    outer, channels, inner = x.shape
    for c in range(*share_of(channels, part, parts)):
        for n in range(outer):
            for i in range(inner):
                x_diff[n, c, i] = diff[n, c, i] * (x.dtype.type(1) if x[n, c, i] > 0 else slope[c])


@shared(fastmath=SUMS)
def prelu_slope_sums(x, diff, total, part, parts):
    """Write each channel's sum of diff * min(x, 0)."""
    outer, channels, inner = x.shape
    for c in range(*share_of(channels, part, parts)):
        of_product = 0.0
        for n in range(outer):
            row = x.dtype.type(0)
            for i in range(inner):
                row += diff[n, c, i] * min(x[n, c, i], x.dtype.type(0))
            of_product += row
        total[c] = of_product
