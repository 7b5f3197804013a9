"""What steps compute that are no convolutions: the function of each is one thread's part of a layer, of `parts`."""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.addresses import FLOAT, floats, integers
from caffe_compat.layers.kernels.blas import dot
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.exponential import exponential
from caffe_compat.layers.kernels.lrn import across_block, across_blocks
from caffe_compat.layers.kernels.pooling import average_of_plane, max_of_plane
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


def _product(pointer, part, parts):
    """top (images x outputs) = f(bottom (images x depth) filters^T (outputs x depth) * scale + bias)."""
    s = step_at(pointer)
    x = floats(s.bottom, s.images * s.depth).reshape(s.images, s.depth)
    w = floats(s.filters, s.outputs * s.depth).reshape(s.outputs, s.depth)
    y = floats(s.top, s.images * s.outputs).reshape(s.images, s.outputs)
    scale, bias, slope = floats(s.scale, s.outputs), floats(s.bias, s.outputs), floats(s.slope, s.outputs)
    four = s.images // ROWS * ROWS
    for j in range(s.outputs * part // parts, s.outputs * (part + 1) // parts):
        for i in range(0, four, ROWS):
            y[i, j], y[i + 1, j], y[i + 2, j], y[i + 3, j] = _dots(x[i], x[i + 1], x[i + 2], x[i + 3], w[j])
        for i in range(four, s.images):
            y[i, j] = dot(x[i], w[j])
        for i in range(s.images):
            y[i, j] = _function(y[i, j] * scale[j] + bias[j], slope[j], s.limit)


@njit(cache=True, error_model="numpy")
def _plane(s, p):
    """Plane p of the bottom, and of the top."""
    area, pixels = s.out_height * s.out_width, s.height * s.width
    bottom, top = floats(s.bottom + FLOAT * p * pixels, pixels), floats(s.top + FLOAT * p * area, area)
    return bottom.reshape(s.height, s.width), top.reshape(s.out_height, s.out_width)


def _pool_maxima(pointer, part, parts):
    """Maxima over the windows (int64, 2 x 3, at `offsets`) of `images` planes."""
    s = step_at(pointer)
    for p in range(s.images * part // parts, s.images * (part + 1) // parts):
        bottom, top = _plane(s, p)
        max_of_plane(bottom, integers(s.offsets, 6).reshape(2, 3), top)


def _pool_averages(pointer, part, parts):
    """Averages likewise."""
    s = step_at(pointer)
    for p in range(s.images * part // parts, s.images * (part + 1) // parts):
        bottom, top = _plane(s, p)
        average_of_plane(bottom, integers(s.offsets, 6).reshape(2, 3), top)


@njit(cache=True, error_model="numpy")
def _rows_of_channels(s, part, parts):
    """What `_channels` does where each channel has one number."""
    shape = s.images, s.channels
    x, y = (
        floats(s.bottom, s.images * s.channels).reshape(shape),
        floats(s.top, s.images * s.channels).reshape(shape),
    )
    other = floats(s.added if s.added else s.bottom, s.images * s.channels).reshape(shape)
    scale, bias, slope = floats(s.scale, s.channels), floats(s.bias, s.channels), floats(s.slope, s.channels)
    for n in range(s.images * part // parts, s.images * (part + 1) // parts):
        if s.added:
            for c in range(s.channels):
                y[n, c] = _function(x[n, c] * scale[c] + bias[c] + other[n, c], slope[c], s.limit)
        else:
            for c in range(s.channels):
                y[n, c] = _function(x[n, c] * scale[c] + bias[c], slope[c], s.limit)


@njit(cache=True, error_model="numpy")
def _planes_of_channels(s, part, parts):
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


def _channels(pointer, part, parts):
    """top = f(bottom * scale + bias + added), images x channels x width, with one of each a channel; added may be 0."""
    s = step_at(pointer)
    if s.width == 1:
        _rows_of_channels(s, part, parts)
    else:
        _planes_of_channels(s, part, parts)


def _copy(pointer, part, parts):
    """Each of `images` rows of `depth` numbers, which lie `pitch` apart in top."""
    s = step_at(pointer)
    x = floats(s.bottom, s.images * s.depth)
    y = floats(s.top, (s.images - 1) * s.pitch + s.depth)
    low, high = s.depth * part // parts, s.depth * (part + 1) // parts
    for i in range(s.images):
        y[i * s.pitch + low : i * s.pitch + high] = x[i * s.depth + low : i * s.depth + high]


def _add(pointer, part, parts):
    """top = f(alpha * bottom + beta * added), `depth` numbers; `factor` is the slope of f."""
    s = step_at(pointer)
    low, high = s.depth * part // parts, s.depth * (part + 1) // parts
    x, other = floats(s.bottom, s.depth)[low:high], floats(s.added, s.depth)[low:high]
    y = floats(s.top, s.depth)[low:high]
    for i in range(len(y)):
        y[i] = _function(s.alpha * x[i] + s.beta * other[i], s.factor, s.limit)


def _lrn(pointer, part, parts):
    """Across `kernel_h` channels; `factor` is k."""
    s = step_at(pointer)
    shape = s.images, s.channels, s.width
    x = floats(s.bottom, s.images * s.channels * s.width).reshape(shape)
    y = floats(s.top, s.images * s.channels * s.width).reshape(shape)
    blocks = across_blocks(x)
    for job in range(blocks * part // parts, blocks * (part + 1) // parts):
        across_block(x, s.kernel_h, s.alpha, s.beta, s.factor, job, y)


@njit(cache=True, error_model="numpy")
def _subtract_greatest(x, y):
    """y (images x classes x inner) = x less the greatest of its classes."""
    images, classes, inner = x.shape
    for i in range(images):
        for k in range(inner):
            greatest = x[i, 0, k]
            for c in range(1, classes):
                greatest = max(greatest, x[i, c, k])
            for c in range(classes):
                y[i, c, k] = x[i, c, k] - greatest


@njit(cache=True, error_model="numpy")
def _divide_by_sums(y):
    images, classes, inner = y.shape
    for i in range(images):
        for k in range(inner):
            total = np.float32(0)
            for c in range(classes):
                total += y[i, c, k]
            share = np.float32(1) / total
            for c in range(classes):
                y[i, c, k] *= share


def _softmax(pointer, part, parts):
    """Over the channels of images x channels x width."""
    s = step_at(pointer)
    shape = s.images, s.channels, s.width
    low, high = s.images * part // parts, s.images * (part + 1) // parts
    x = floats(s.bottom, s.images * s.channels * s.width).reshape(shape)[low:high]
    y = floats(s.top, s.images * s.channels * s.width).reshape(shape)[low:high]
    _subtract_greatest(x, y)
    powers = y.reshape(-1)
    for i in range(len(powers)):
        powers[i] = exponential(powers[i])
    _divide_by_sums(y)


def _permute(pointer, part, parts):
    """top, of four axes images x channels x height x width, from numbers that lie kernel_h, stride_h, stride_w and
    depth apart in bottom."""
    s = step_at(pointer)
    rows = s.images * s.channels
    x = floats(s.bottom, s.images * s.channels * s.height * s.width)
    y = floats(s.top, s.images * s.channels * s.height * s.width)
    for row in range(rows * part // parts, rows * (part + 1) // parts):
        base = row // s.channels * s.kernel_h + row % s.channels * s.stride_h
        place = row * s.height * s.width
        for h in range(s.height):
            for w in range(s.width):
                y[place] = x[base + h * s.stride_w + w * s.depth]
                place += 1


product, channels, copy, add = (
    Callee(SIGNATURE, function) for function in (_product, _channels, _copy, _add)
)
pool_maxima, pool_averages = Callee(SIGNATURE, _pool_maxima), Callee(SIGNATURE, _pool_averages)
lrn, softmax, permute = Callee(SIGNATURE, _lrn), Callee(SIGNATURE, _softmax), Callee(SIGNATURE, _permute)
