"""One number a channel: arrays are outer x channels x inner, what belongs to a channel has `channels` elements."""

from __future__ import annotations

from caffe_compat.layers.kernels.shared import share_of, shared

SUMS = {"reassoc", "nsz", "contract"}  # the order of additions is free: only so they are vectorised


@shared()
def affine(x, centre, scale, bias, y, part, parts):
    """Write (x - centre) * scale + bias into y (may be x)."""
    outer, channels, inner = x.shape
    for c in range(*share_of(channels, part, parts)):
        for n in range(outer):
            for i in range(inner):
                y[n, c, i] = (x[n, c, i] - centre[c]) * scale[c] + bias[c]


@shared()
def combine(diff, x, centre, diff_scale, x_scale, bias, x_diff, part, parts):
    """Write diff * diff_scale + (x - centre) * x_scale + bias into x_diff (may be diff)."""
    outer, channels, inner = x.shape
    for c in range(*share_of(channels, part, parts)):
        for n in range(outer):
            for i in range(inner):
                shifted = x[n, c, i] - centre[c]
                x_diff[n, c, i] = diff[n, c, i] * diff_scale[c] + shifted * x_scale[c] + bias[c]


@shared(fastmath=SUMS)
def moments(x, mean, variance, part, parts):
    """Write each channel's mean, and its mean square distance from that."""
    outer, channels, inner = x.shape
    for c in range(*share_of(channels, part, parts)):
        total = 0.0
        for n in range(outer):
            row = x.dtype.type(0)
            for i in range(inner):
                row += x[n, c, i]
            total += row
        centre = x.dtype.type(total / (outer * inner))
        squares = 0.0
        for n in range(outer):
            row = x.dtype.type(0)
            for i in range(inner):
                distance = x[n, c, i] - centre
                row += distance * distance
            squares += row
        mean[c], variance[c] = centre, squares / (outer * inner)


@shared(fastmath=SUMS)
def sums(diff, x, centre, total, product, part, parts):
    """Write each channel's sums of diff, and of diff * (x - centre)."""
    outer, channels, inner = x.shape
    for c in range(*share_of(channels, part, parts)):
        of_diff, of_product = 0.0, 0.0
        for n in range(outer):
            part_diff, part_product = x.dtype.type(0), x.dtype.type(0)
            for i in range(inner):
                part_diff += diff[n, c, i]
                part_product += diff[n, c, i] * (x[n, c, i] - centre[c])
            of_diff += part_diff
            of_product += part_product
        total[c], product[c] = of_diff, of_product


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
