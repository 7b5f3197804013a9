"""What steps compute that are no convolutions: the function of each is one thread's part of a layer, of `parts`."""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.addresses import floats, integers
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.lrn import across_block, across_blocks
from caffe_compat.layers.kernels.pooling import average_of_plane, max_of_planes
from caffe_compat.layers.kernels.softmax import softmax_of
from caffe_compat.layers.kernels.step import SIGNATURE, step_at


@njit(cache=True, error_model="numpy")
def _function(x, slope, limit):
    """max(x, 0) + slope min(x, 0), but limit at most."""
    return min(max(x, np.float32(0)) + slope * min(x, np.float32(0)), limit)


ROWS = 4  # rows that are multiplied with one row of weights at a time


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _dots(x0, x1, x2, x3, w):
    a, b, c, d = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for k in range(len(w)):
        a += x0[k] * w[k]
        b += x1[k] * w[k]
        c += x2[k] * w[k]
        d += x3[k] * w[k]
    return a, b, c, d


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _dot(x, w):
    total = np.float32(0)
    for k in range(len(w)):
        total += x[k] * w[k]
    return total


def _product(address, part, parts):
    """top (images x outputs) = f(bottom (images x depth) filters^T (outputs x depth) * scale + bias)."""
    s = step_at(address)
    x = floats(s.bottom, s.images * s.depth).reshape(s.images, s.depth)
    w = floats(s.filters, s.outputs * s.depth).reshape(s.outputs, s.depth)
    y = floats(s.top, s.images * s.outputs).reshape(s.images, s.outputs)
    scale, bias, slope = floats(s.scale, s.outputs), floats(s.bias, s.outputs), floats(s.slope, s.outputs)
    four = s.images // ROWS * ROWS
    for j in range(s.outputs * part // parts, s.outputs * (part + 1) // parts):
        for i in range(0, four, ROWS):
            y[i, j], y[i + 1, j], y[i + 2, j], y[i + 3, j] = _dots(x[i], x[i + 1], x[i + 2], x[i + 3], w[j])
        for i in range(four, s.images):
            y[i, j] = _dot(x[i], w[j])
        for i in range(s.images):
            y[i, j] = _function(y[i, j] * scale[j] + bias[j], slope[j], s.limit)


def _pool(address, part, parts):
    """Maxima or averages over the windows (int64, 2 x 3, at `offsets`) of images * channels planes."""
    s = step_at(address)
    planes = s.images * s.channels
    low, high = planes * part // parts, planes * (part + 1) // parts
    x = floats(s.bottom, planes * s.height * s.width).reshape(planes, s.height, s.width)[low:high]
    y = floats(s.top, planes * s.out_height * s.out_width).reshape(planes, s.out_height, s.out_width)[
        low:high
    ]
    window = integers(s.offsets, 6).reshape(2, 3)
    if s.scratch:
        work = floats(s.scratch + 4 * part * s.scratch_size, s.scratch_size).reshape(2, s.scratch_size // 2)
        max_of_planes(x, window, work, y)
    else:
        for p in range(high - low):
            average_of_plane(x[p], window, y[p])


def _channels(address, part, parts):
    """top = f(bottom * scale + bias + added), images x channels x width, with one of each a channel; added may be 0."""
    s = step_at(address)
    planes = s.images * s.channels
    x = floats(s.bottom, planes * s.width).reshape(planes, s.width)
    y = floats(s.top, planes * s.width).reshape(planes, s.width)
    other = floats(s.added if s.added else s.bottom, planes * s.width).reshape(planes, s.width)
    scale, bias, slope = floats(s.scale, s.channels), floats(s.bias, s.channels), floats(s.slope, s.channels)
    for p in range(planes * part // parts, planes * (part + 1) // parts):
        c = p % s.channels
        factor, term, below, source, more, out = scale[c], bias[c], slope[c], x[p], other[p], y[p]
        if s.added:
            for i in range(len(out)):
                out[i] = _function(source[i] * factor + term + more[i], below, s.limit)
        else:
            for i in range(len(out)):
                out[i] = _function(source[i] * factor + term, below, s.limit)


def _copy(address, part, parts):
    """Each of `images` rows of `depth` numbers, which lie `pitch` apart in top."""
    s = step_at(address)
    x = floats(s.bottom, s.images * s.depth)
    y = floats(s.top, (s.images - 1) * s.pitch + s.depth)
    low, high = s.depth * part // parts, s.depth * (part + 1) // parts
    for i in range(s.images):
        y[i * s.pitch + low : i * s.pitch + high] = x[i * s.depth + low : i * s.depth + high]


def _add(address, part, parts):
    """top = f(alpha * bottom + beta * added), `depth` numbers; `factor` is the slope of f."""
    s = step_at(address)
    low, high = s.depth * part // parts, s.depth * (part + 1) // parts
    x, other = floats(s.bottom, s.depth)[low:high], floats(s.added, s.depth)[low:high]
    y = floats(s.top, s.depth)[low:high]
    for i in range(len(y)):
        y[i] = _function(s.alpha * x[i] + s.beta * other[i], s.factor, s.limit)


def _lrn(address, part, parts):
    """Across `kernel_h` channels; `factor` is k."""
    s = step_at(address)
    shape = s.images, s.channels, s.width
    x = floats(s.bottom, s.images * s.channels * s.width).reshape(shape)
    y = floats(s.top, s.images * s.channels * s.width).reshape(shape)
    blocks = across_blocks(x)
    for job in range(blocks * part // parts, blocks * (part + 1) // parts):
        across_block(x, s.kernel_h, s.alpha, s.beta, s.factor, job, y)


def _softmax(address, part, parts):
    """Over the channels of images x channels x width."""
    s = step_at(address)
    shape = s.images, s.channels, s.width
    x = floats(s.bottom, s.images * s.channels * s.width).reshape(shape)
    y = floats(s.top, s.images * s.channels * s.width).reshape(shape)
    for i in range(s.images * part // parts, s.images * (part + 1) // parts):
        softmax_of(x[i], y[i])


product, pool, channels, copy, add, lrn, softmax = (
    Callee(SIGNATURE, function) for function in (_product, _pool, _channels, _copy, _add, _lrn, _softmax)
)
