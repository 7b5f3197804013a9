"""Winograd's minimal filtering F(4 x 4, 3 x 3): 4 x 4 outputs of a 3 x 3 filter from 36 products instead of 144.

A tile is 4 x 4 outputs, and the 6 x 6 pixels that they see. Transforms are made for a block of channels at once, so
that the inner loops run over contiguous channels. Point i of the 36 is row i // 6, column i % 6 of a transformed tile.

Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2015), section 4.3.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from caffe_compat.layers.kernels.blas import sgemm

OUTPUTS, PIXELS, POINTS = 4, 6, 36
CHUNK = 256  # channels that are transformed at a time: long enough runs for the memory, 6 x 6 of them for the cache

# What `_sandwich` multiplies with: the matrices of the paper and their transposes
B_T, B, G, G_T, A_T, A = range(6)
_4, _5, _8 = np.float32(4), np.float32(5), np.float32(8)
_2, _1_4, _1_6, _1_12, _1_24 = (np.float32(x) for x in (2, 1 / 4, 1 / 6, 1 / 12, 1 / 24))


@njit(cache=True, error_model="numpy")
def _b_t(d, o):
    for c in range(d.shape[1]):
        outer, inner = d[4, c] - _4 * d[2, c], d[3, c] - _4 * d[1, c]
        narrow, wide = d[4, c] - d[2, c], _2 * (d[3, c] - d[1, c])
        o[0, c] = _4 * d[0, c] - _5 * d[2, c] + d[4, c]
        o[1, c] = outer + inner
        o[2, c] = outer - inner
        o[3, c] = narrow + wide
        o[4, c] = narrow - wide
        o[5, c] = _4 * d[1, c] - _5 * d[3, c] + d[5, c]


@njit(cache=True, error_model="numpy")
def _b(d, o):
    for c in range(d.shape[1]):
        plus, minus = d[1, c] + d[2, c], d[1, c] - d[2, c]
        wide, twice = d[3, c] + d[4, c], _2 * (d[3, c] - d[4, c])
        o[0, c] = _4 * d[0, c]
        o[1, c] = _4 * (d[5, c] - minus) - twice
        o[2, c] = -_5 * d[0, c] - _4 * plus - wide
        o[3, c] = minus + twice - _5 * d[5, c]
        o[4, c] = d[0, c] + plus + wide
        o[5, c] = d[5, c]


@njit(cache=True, error_model="numpy")
def _g(d, o):
    for c in range(d.shape[1]):
        even, odd = (d[0, c] + d[2, c]) * _1_6, d[1, c] * _1_6
        wide, twice = d[0, c] * _1_24 + d[2, c] * _1_6, d[1, c] * _1_12
        o[0, c] = d[0, c] * _1_4
        o[1, c] = -even - odd
        o[2, c] = odd - even
        o[3, c] = wide + twice
        o[4, c] = wide - twice
        o[5, c] = d[2, c]


@njit(cache=True, error_model="numpy")
def _g_t(d, o):
    for c in range(d.shape[1]):
        even, wide = (d[1, c] + d[2, c]) * _1_6, d[3, c] + d[4, c]
        o[0, c] = d[0, c] * _1_4 - even + wide * _1_24
        o[1, c] = (d[2, c] - d[1, c]) * _1_6 + (d[3, c] - d[4, c]) * _1_12
        o[2, c] = wide * _1_6 - even + d[5, c]


@njit(cache=True, error_model="numpy")
def _a_t(d, o):
    for c in range(d.shape[1]):
        plus, minus = d[1, c] + d[2, c], d[1, c] - d[2, c]
        wide, twice = d[3, c] + d[4, c], d[3, c] - d[4, c]
        o[0, c] = d[0, c] + plus + wide
        o[1, c] = minus + _2 * twice
        o[2, c] = plus + _4 * wide
        o[3, c] = minus + _8 * twice + d[5, c]


@njit(cache=True, error_model="numpy")
def _a(d, o):
    for c in range(d.shape[1]):
        even, odd = d[0, c] + d[2, c], d[1, c] + d[3, c]
        wide, twice = d[0, c] + _4 * d[2, c], _2 * d[1, c] + _8 * d[3, c]
        o[0, c] = d[0, c]
        o[1, c] = even + odd
        o[2, c] = even - odd
        o[3, c] = wide + twice
        o[4, c] = wide - twice
        o[5, c] = d[3, c]


@njit(cache=True, error_model="numpy")
def _multiply(matrix, rows, out):
    """out (p x c) = the matrix (p x q) times rows (q x c)."""
    if matrix == B_T:
        _b_t(rows, out)
    elif matrix == B:
        _b(rows, out)
    elif matrix == G:
        _g(rows, out)
    elif matrix == G_T:
        _g_t(rows, out)
    elif matrix == A_T:
        _a_t(rows, out)
    else:
        _a(rows, out)


@njit(cache=True, error_model="numpy")
def _sandwich(matrix, inner, temp, out):
    """out (p x p x c) = M inner (q x q x c) M^T for each channel c, M (p x q) being the matrix. temp: p x q x c."""
    side, channels = inner.shape[0], inner.shape[2]
    _multiply(matrix, inner.reshape(side, side * channels), temp.reshape(temp.shape[0], side * channels))
    for i in range(temp.shape[0]):
        _multiply(matrix, temp[i], out[i])


@njit(cache=True, error_model="numpy")
def _read_tile(image, first, top, left, tile):
    """tile (rows x columns x c) = the pixels from (top, left) of the channels from `first` on; 0 outside."""
    channels, height, width = image.shape
    size = min(tile.shape[2], channels - first)
    for y in range(tile.shape[0]):
        for x in range(tile.shape[1]):
            row, column = top + y, left + x
            to = tile[y, x]
            if 0 <= row < height and 0 <= column < width:
                for c in range(size):
                    to[c] = image[first + c, row, column]
            else:
                to[:] = np.float32(0)


@njit(cache=True, error_model="numpy", parallel=True)
def transform_tiles(matrix, images, tiles_h, tiles_w, begin, pad, threads, out):
    """out (36 x tiles x channels) = matrix tile matrix^T, for out.shape[1] tiles from number `begin` on.

    matrix: B_T, of the pixels that are seen, or A, of gradients of outputs. images: N x C x H x W; pad: how far above
    and left of them the first tile begins.
    """
    side = PIXELS if matrix == B_T else OUTPUTS
    channels, chunk = images.shape[1], min(CHUNK, images.shape[1])
    for thread in prange(threads):
        tile = np.empty((side, side, chunk), np.float32)
        temp = np.empty((PIXELS, side, chunk), np.float32)
        done = np.empty((PIXELS, PIXELS, chunk), np.float32)
        for t in range(thread, out.shape[1], threads):
            number, column = divmod(begin + t, tiles_w)
            image, row = divmod(number, tiles_h)
            for first in range(0, channels, chunk):
                _read_tile(images[image], first, OUTPUTS * row - pad, OUTPUTS * column - pad, tile)
                _sandwich(matrix, tile, temp, done)
                size = min(chunk, channels - first)
                for i in range(POINTS):
                    to, source = out[i, t], done[i // PIXELS, i % PIXELS]
                    for c in range(size):
                        to[first + c] = source[c]


@njit(cache=True, error_model="numpy", parallel=True)
def transform_filters(filters, threads, out):
    """out (36 x M x C) = G g G^T of each filter (M x C x 3 x 3)."""
    outputs, channels = filters.shape[:2]
    chunk = min(CHUNK, channels)
    for thread in prange(threads):
        one = np.empty((3, 3, chunk), np.float32)
        temp = np.empty((PIXELS, 3, chunk), np.float32)
        done = np.empty((PIXELS, PIXELS, chunk), np.float32)
        for m in range(thread, outputs, threads):
            for first in range(0, channels, chunk):
                size = min(chunk, channels - first)
                for c in range(size):
                    for y in range(3):
                        for x in range(3):
                            one[y, x, c] = filters[m, first + c, y, x]
                _sandwich(G, one, temp, done)
                for i in range(POINTS):
                    to, source = out[i, m], done[i // PIXELS, i % PIXELS]
                    for c in range(size):
                        to[first + c] = source[c]


@njit(cache=True, error_model="numpy", parallel=True)
def add_filters(points, threads, filters):
    """filters (M x C x 3 x 3) += G^T points G, of points 36 x M x C."""
    outputs, channels = filters.shape[:2]
    chunk = min(CHUNK, channels)
    for thread in prange(threads):
        one = np.empty((PIXELS, PIXELS, chunk), np.float32)
        temp = np.empty((3, PIXELS, chunk), np.float32)
        done = np.empty((3, 3, chunk), np.float32)
        for m in range(thread, outputs, threads):
            for first in range(0, channels, chunk):
                size = min(chunk, channels - first)
                for i in range(POINTS):
                    source, to = points[i, m], one[i // PIXELS, i % PIXELS]
                    for c in range(size):
                        to[c] = source[first + c]
                _sandwich(G_T, one, temp, done)
                for c in range(size):
                    for y in range(3):
                        for x in range(3):
                            filters[m, first + c, y, x] += done[y, x, c]


@njit(cache=True, error_model="numpy", parallel=True)
def write_outputs(points, bias, tiles_h, tiles_w, begin, threads, outs):
    """outs (N x M x H x W) = A^T points A + bias, of points 36 x tiles x M, the tiles from number `begin` on."""
    _, outputs, height, width = outs.shape
    chunk = min(CHUNK, outputs)
    for thread in prange(threads):
        one = np.empty((PIXELS, PIXELS, chunk), np.float32)
        temp = np.empty((OUTPUTS, PIXELS, chunk), np.float32)
        done = np.empty((OUTPUTS, OUTPUTS, chunk), np.float32)
        for t in range(thread, points.shape[1], threads):
            number, column = divmod(begin + t, tiles_w)
            image, row = divmod(number, tiles_h)
            top, left = OUTPUTS * row, OUTPUTS * column
            for first in range(0, outputs, chunk):
                size = min(chunk, outputs - first)
                for i in range(POINTS):
                    source, to = points[i, t], one[i // PIXELS, i % PIXELS]
                    for c in range(size):
                        to[c] = source[first + c]
                _sandwich(A_T, one, temp, done)
                for c in range(size):
                    plus = bias[first + c]
                    for y in range(min(OUTPUTS, height - top)):
                        for x in range(min(OUTPUTS, width - left)):
                            outs[image, first + c, top + y, left + x] = done[y, x, c] + plus


@njit(cache=True, error_model="numpy", parallel=True)
def add_pixels(points, tiles_h, tiles_w, begin, pad, threads, images):
    """images (N x C x H x W) += B points B^T, of points 36 x tiles x C, the tiles from number `begin` on.

    Tiles overlap by two pixels: each thread has channels of its own, so that no two write one pixel.
    """
    _, channels, height, width = images.shape
    chunk = min(CHUNK, -(-channels // threads))
    for thread in prange(threads):
        one = np.empty((PIXELS, PIXELS, chunk), np.float32)
        temp = np.empty((PIXELS, PIXELS, chunk), np.float32)
        done = np.empty((PIXELS, PIXELS, chunk), np.float32)
        for first in range(thread * chunk, channels, threads * chunk):
            size = min(chunk, channels - first)
            for t in range(points.shape[1]):
                number, column = divmod(begin + t, tiles_w)
                image, row = divmod(number, tiles_h)
                top, left = OUTPUTS * row - pad, OUTPUTS * column - pad
                for i in range(POINTS):
                    source, to = points[i, t], one[i // PIXELS, i % PIXELS]
                    for c in range(size):
                        to[c] = source[first + c]
                _sandwich(B, one, temp, done)
                for c in range(size):
                    for y in range(max(0, -top), min(PIXELS, height - top)):
                        for x in range(max(0, -left), min(PIXELS, width - left)):
                            images[image, first + c, top + y, left + x] += done[y, x, c]


@njit(cache=True, error_model="numpy", parallel=True)
def multiply_points(trans_a, trans_b, a, b, beta, out):
    """out[i] = op(a[i]) op(b[i]) + beta out[i] for each of the 36 points. Within `one_thread_blas`."""
    m, n = out.shape[1], out.shape[2]
    k = a.shape[1] if trans_a else a.shape[2]
    for i in prange(POINTS):
        sgemm(
            trans_a, trans_b, m, n, k, a[i].ctypes.data, a.shape[2], b[i].ctypes.data, b.shape[2],
            beta, out[i].ctypes.data, n,
        )  # fmt: skip


@njit(cache=True, error_model="numpy", parallel=True)
def to_phases(images, pad, phases):
    """phases (N x 4 x C x H' x W'): [n, 2 i + j, c, y, x] = images[n, c, 2 y + i - pad, 2 x + j - pad], 0 outside."""
    channels, height, width = images.shape[1:]
    for plane in prange(images.shape[0] * channels):
        n, c = plane // channels, plane % channels
        for i in range(2):
            for j in range(2):
                low = (pad - j + 1) // 2  # the first x that is not outside
                high = max(low, min(phases.shape[4], (width - 1 + pad - j) // 2 + 1))
                for y in range(phases.shape[3]):
                    row = 2 * y + i - pad
                    if 0 <= row < height:
                        phases[n, 2 * i + j, c, y, :low] = np.float32(0)
                        phases[n, 2 * i + j, c, y, high:] = np.float32(0)
                        for x in range(low, high):
                            phases[n, 2 * i + j, c, y, x] = images[n, c, row, 2 * x + j - pad]
                    else:
                        phases[n, 2 * i + j, c, y] = np.float32(0)


@njit(cache=True, error_model="numpy", parallel=True)
def from_phases(phases, pad, images):
    """What `to_phases` does, backwards: each pixel gets what its one place in the phases has, 0 if it has none."""
    channels, height, width = images.shape[1:]
    for plane in prange(images.shape[0] * channels):
        n, c = plane // channels, plane % channels
        for row in range(height):
            y, i = divmod(row + pad, 2)
            for column in range(width):
                x, j = divmod(column + pad, 2)
                inside = y < phases.shape[3] and x < phases.shape[4]
                images[n, c, row, column] = phases[n, 2 * i + j, c, y, x] if inside else np.float32(0)


@njit(cache=True, error_model="numpy", parallel=True)
def split_filters(filters, small):
    """small (M x 4 x C x 3 x 3): [m, 2 i + j, c, y, x] = filters[m, c, 2 y + i, 2 x + j], 0 where there is none."""
    outputs, channels, size, _ = filters.shape
    for m in prange(outputs):
        for phase in range(4):
            for c in range(channels):
                for y in range(3):
                    for x in range(3):
                        row, column = 2 * y + phase // 2, 2 * x + phase % 2
                        there = row < size and column < size
                        small[m, phase, c, y, x] = filters[m, c, row, column] if there else np.float32(0)


@njit(cache=True, error_model="numpy", parallel=True)
def add_split_filters(small, filters):
    """filters += what `split_filters` puts into small, backwards."""
    outputs, channels, size, _ = filters.shape
    for m in prange(outputs):
        for c in range(channels):
            for row in range(size):
                for column in range(size):
                    phase = 2 * (row % 2) + column % 2
                    filters[m, c, row, column] += small[m, phase, c, row // 2, column // 2]
