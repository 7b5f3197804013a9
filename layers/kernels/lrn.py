"""Local response normalisation: s = k + alpha * (sum of x^2 over the neighbours), y = x s^-beta.

With r = s^-beta the gradient is dx = dy r - 2 alpha beta x * (sum over the neighbours of dy x r / s).
Scalars have the arrays' dtype; size is odd, alpha is already divided by the number of neighbours.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared

BLOCK = 512  # pixels worked on at a time: all their channels stay in cache


@piece()
def _power(s, beta):
    """s^-beta; square roots vectorise, a general power does not."""
    if beta == 0.75:
        root = np.sqrt(s)
        return np.float32(1) / (root * np.sqrt(root))
    return s**-beta


@piece()
def _add_squares(x, sums):
    for i in range(len(sums)):
        sums[i] += x[i] * x[i]


@piece()
def _to_top(x, alpha, beta, k, top):
    """In top: the sums of squares, then y."""
    for i in range(len(top)):
        top[i] = x[i] * _power(k + alpha * top[i], beta)


@piece()
def _to_diff(x, diff, alpha, beta, k, ratio, out):
    """In out: the sums of squares, then dy r. ratio = dy x r / s."""
    for i in range(len(out)):
        s = k + alpha * out[i]
        out[i] = diff[i] * _power(s, beta)
        ratio[i] = out[i] * x[i] / s


@piece()
def _subtract(x, ratio, factor, out):
    for i in range(len(out)):
        out[i] -= factor * x[i] * ratio[i]


@piece()
def across_block(bottom, size, alpha, beta, k, job, top):
    """What `across_forward` does, of one of the `across_blocks`."""
    channels, pixels = bottom.shape[1:]
    blocks, half = (pixels + BLOCK - 1) // BLOCK, size // 2
    n, low = job // blocks, job % blocks * BLOCK
    high = low + BLOCK
    for c in range(channels):
        y = top[n, c, low:high]
        y[:] = 0
        for near in range(max(c - half, 0), min(c + half + 1, channels)):
            _add_squares(bottom[n, near, low:high], y)
        _to_top(bottom[n, c, low:high], alpha, beta, k, y)


@piece()
def across_blocks(bottom):
    """How many blocks of pixels there are."""
    return len(bottom) * ((bottom.shape[2] + BLOCK - 1) // BLOCK)


@shared()
def across_forward(bottom, size, alpha, beta, k, top, part, parts):
    """Neighbours are `size` channels around one's own. bottom, top: N x C x pixels."""
    for job in range(*share_of(across_blocks(bottom), part, parts)):
        across_block(bottom, size, alpha, beta, k, job, top)


@shared()
def across_backward(bottom, top_diff, size, alpha, beta, k, ratios, bottom_diff, part, parts):
    """The gradient. ratios: workers x C x BLOCK, scratch."""
    images, channels, pixels = bottom.shape
    blocks = (pixels + BLOCK - 1) // BLOCK
    half = size // 2
    factor = np.float32(2) * alpha * beta
    for worker in range(*share_of(len(ratios), part, parts)):
        for job in range(worker, images * blocks, len(ratios)):
            n, low = job // blocks, job % blocks * BLOCK
            high = low + BLOCK
            for c in range(channels):
                dx = bottom_diff[n, c, low:high]
                dx[:] = 0
                for near in range(max(c - half, 0), min(c + half + 1, channels)):
                    _add_squares(bottom[n, near, low:high], dx)
                x, dy = bottom[n, c, low:high], top_diff[n, c, low:high]
                _to_diff(x, dy, alpha, beta, k, ratios[worker, c], dx)
            for c in range(channels):
                x, dx = bottom[n, c, low:high], bottom_diff[n, c, low:high]
                for near in range(max(c - half, 0), min(c + half + 1, channels)):
                    _subtract(x, ratios[worker, near], factor, dx)


@piece()
def _sums_within(plane, size, y, sums):
    """sums = over row y, the sums of squares of size x size pixels around each."""
    height, width = plane.shape
    half = size // 2
    sums[:] = 0
    for h in range(max(y - half, 0), min(y + half + 1, height)):
        for shift in range(-min(half, width - 1), min(half, width - 1) + 1):
            low, high = max(-shift, 0), min(width - shift, width)
            _add_squares(plane[h, low + shift : high + shift], sums[low:high])


@shared()
def within_forward(bottom, size, alpha, beta, k, top, part, parts):
    """Neighbours are the size x size pixels around, of the same channel. bottom, top: planes x H x W."""
    for p in range(*share_of(len(bottom), part, parts)):
        for y in range(bottom.shape[1]):
            _sums_within(bottom[p], size, y, top[p, y])
            _to_top(bottom[p, y], alpha, beta, k, top[p, y])


@shared()
def within_backward(bottom, top_diff, size, alpha, beta, k, ratios, bottom_diff, part, parts):
    """The gradient. ratios: planes x H x W, scratch."""
    height, width = bottom.shape[1:]
    half = size // 2
    factor = np.float32(2) * alpha * beta
    for p in range(*share_of(len(bottom), part, parts)):
        for y in range(height):
            _sums_within(bottom[p], size, y, bottom_diff[p, y])
            _to_diff(bottom[p, y], top_diff[p, y], alpha, beta, k, ratios[p, y], bottom_diff[p, y])
        for y in range(height):
            for h in range(max(y - half, 0), min(y + half + 1, height)):
                for shift in range(-min(half, width - 1), min(half, width - 1) + 1):
                    low, high = max(-shift, 0), min(width - shift, width)
                    ratio = ratios[p, h, low + shift : high + shift]
                    _subtract(bottom[p, y, low:high], ratio, factor, bottom_diff[p, y, low:high])
