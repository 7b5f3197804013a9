"""Bins that RoIs share: the same rectangle of pixels at the same place of the RoI's grid gives the same product.

Overlapping proposals have many bins alike, as rounding to the pixels of a small map makes them equal. A bin position p
of a RoI is ph * pooled_w + pw. A rectangle is known by one integer; 0 is every empty one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.addresses import FLOAT
from caffe_compat.layers.kernels.ahead import ask_for
from caffe_compat.layers.kernels.micro_kernel import COLUMNS, ROWS
from caffe_compat.layers.kernels.micro_kernel import multiply as multiply_tile
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.roi_pooling import bin_range, greatest, roi_span
from caffe_compat.layers.kernels.shared import of_part, share_of, shared
from caffe_compat.layers.kernels.transpose import transpose
from caffe_compat.layers.kernels.vectors import LANES

_HASH = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio (Knuth), spreads the keys over a table
TOGETHER = 3  # positions whose products are added up at once


@shared()
def rectangles(rois, scale, bins_h, bins_w, maps_shape, keys, part, parts):
    """keys (P x R int64) = the rectangle of each bin: image, rows and columns in one number; 0 where it is empty.

    rois: R x 5 float32; maps_shape: N, H, W. The bins are those of roi_pooling.
    """
    _, height, width = maps_shape
    for r in range(*share_of(rois.shape[0], part, parts)):
        image = np.int64(rois[r, 0])
        left, _, bin_w = roi_span(rois[r, 1], rois[r, 3], scale, bins_w)
        upper, _, bin_h = roi_span(rois[r, 2], rois[r, 4], scale, bins_h)
        for ph in range(bins_h):
            h_start, h_end = bin_range(ph, upper, bin_h, height)
            for pw in range(bins_w):
                w_start, w_end = bin_range(pw, left, bin_w, width)
                rows = (image * (height + 1) + h_start) * (height + 1) + h_end
                key = (rows * (width + 1) + w_start) * (width + 1) + w_end
                empty = h_end <= h_start or w_end <= w_start
                keys[ph * bins_w + pw, r] = 0 if empty else key


@njit(cache=True, error_model="numpy")
def distinct(keys, table, ids, found, rows, starts, places):
    """Number the rectangles; returns how many there are, in all and summed over the positions.

    keys: P x R. table: int64 of -1, a power of two above 2 P R. ids: scratch, P x R. Out: found (rectangle of each
    number); for position p rows[starts[p] : starts[p + 1]] are the numbers that occur there, and places (P x R)
    says where among them a RoI's stands. starts: P + 1.
    """
    mask, count, total = np.uint64(table.size - 1), 0, 0
    shift = np.uint64(64 - int(np.log2(table.size) + 0.5))
    seen = np.full(keys.size, -1, np.int32)  # where a number stands at this position
    for p in range(keys.shape[0]):
        starts[p] = total
        for r in range(keys.shape[1]):
            key = keys[p, r]
            slot = (np.uint64(key) * _HASH) >> shift
            while table[slot] >= 0 and found[table[slot]] != key:
                slot = (slot + np.uint64(1)) & mask
            if table[slot] < 0:
                table[slot] = count
                found[count] = key
                count += 1
            number = table[slot]
            ids[p, r] = number
            if seen[number] < 0:
                seen[number] = total - starts[p]
                rows[total] = number
                total += 1
            places[p, r] = seen[number]
        for i in range(starts[p], total):
            seen[rows[i]] = -1
    starts[keys.shape[0]] = total
    return count, total


@shared()
def pool_rectangles(maps, keys, pooled, part, parts):
    """pooled (n x C) = the maximum over each rectangle of the maps (N x H x W x C), 0 for an empty one."""
    _, height, width, _ = maps.shape
    low, high = share_of(keys.size, part, parts)
    keys, pooled = keys[low:high], pooled[low:high]
    for i in range(keys.size):
        rest, w_end = divmod(keys[i], width + 1)  # 0 gives no rows and no columns
        rest, w_start = divmod(rest, width + 1)
        rest, h_end = divmod(rest, height + 1)
        image, h_start = divmod(rest, height + 1)
        greatest(maps[image], h_start, h_end, w_start, w_end, pooled[i])


@piece()
def weights_as_columns(weights, channels, sources, targets, packed):
    """packed (P x panels of channels x COLUMNS) = weights (outputs x C P), position by position."""
    outputs, positions, base = weights.shape[0], packed.shape[0], packed.ctypes.data
    squares = weights.shape[1] // LANES
    for first in range(0, outputs, LANES):
        column = first // COLUMNS * channels * COLUMNS + first % COLUMNS
        count = min(LANES, outputs - first)
        for r in range(LANES):
            sources[r] = weights[first + min(r, count - 1)].ctypes.data
        c, p = 0, 0
        for square in range(squares):
            for k in range(LANES):
                targets[k] = base + FLOAT * (p * packed.shape[1] + column + c * COLUMNS)
                p += 1
                if p == positions:
                    c, p = c + 1, 0
            transpose(sources.ctypes.data, square * LANES, targets.ctypes.data, 0)
        for rest in range(squares * LANES, weights.shape[1]):
            c, p = divmod(rest, positions)
            for r in range(count):
                packed[p, column + c * COLUMNS + r] = weights[first + r, rest]


@piece()
def _rows_as_panel(pooled, numbers, sources, targets, panel):
    """panel (channels x ROWS, and SLACK) = the rows of `pooled` with these numbers."""
    channels = pooled.shape[1]
    for r in range(LANES):
        sources[r] = pooled[numbers[min(r, len(numbers) - 1)]].ctypes.data
        targets[r] = panel.ctypes.data + FLOAT * ROWS * r
    squares = channels // LANES
    for square in range(squares):
        c = square * LANES
        transpose(sources.ctypes.data, c, targets.ctypes.data, c * ROWS)
    for c in range(squares * LANES, channels):
        for r in range(min(ROWS, len(numbers))):
            panel[c * ROWS + r] = pooled[numbers[r], c]


@piece()
def _ask_for_rows(pooled, numbers):
    """Ask for the rows of `pooled` with these numbers, which lie anywhere."""
    for number in numbers:
        ask_for(pooled[number].ctypes.data, pooled.shape[1])


@piece()
def add_rows(products, places, sums):
    """sums (R x B) += the rows of each product (some x rows x B) that places (some x R) names.

    Three products at a time, since reading and writing the sums takes longest.
    """
    for p in range(0, places.shape[0], TOGETHER):
        if p + TOGETHER <= places.shape[0]:
            for r in range(sums.shape[0]):
                i, j, k = places[p, r], places[p + 1, r], places[p + 2, r]
                for m in range(sums.shape[1]):
                    sums[r, m] += products[p, i, m] + products[p + 1, j, m] + products[p + 2, k, m]
        else:
            for last in range(p, places.shape[0]):
                for r in range(sums.shape[0]):
                    i = places[last, r]
                    for m in range(sums.shape[1]):
                        sums[r, m] += products[last, i, m]


@piece()
def multiply_position(pooled, numbers, weights, size, sources, targets, panel, products):
    """products (at least as many rows as numbers, of B) = the rows of `pooled` with these numbers times the weights
    (panels x channels x COLUMNS) of `size` outputs."""
    channels = pooled.shape[1]
    for low in range(0, len(numbers), ROWS):
        _rows_as_panel(pooled, numbers[low : low + ROWS], sources, targets, panel)
        following = numbers[low + ROWS : low + 2 * ROWS]
        for column in range(0, size, COLUMNS):
            _ask_for_rows(pooled, of_part(following, column // COLUMNS, -(-size // COLUMNS)))
            b, y = weights[column * channels :].ctypes.data, products[low, column:].ctypes.data
            multiply_tile(channels, panel.ctypes.data, b, y, products.shape[1], False)


@piece()
def write_outputs(sums, begin, size, bias, top):
    """top = sums + bias, of `size` outputs from `begin` on."""
    for r in range(top.shape[0]):
        for m in range(size):
            top[r, begin + m] = sums[r, m] + bias[begin + m]


@shared()
def multiply(pooled, rows, starts, places, weights, bias, packed, panels, products, sums, top, part, parts):
    """top (R x M) = bias + the sum over the positions of weights times the rectangles, each product taken once.

    pooled: the rectangles, n x C; rows[starts[p] : starts[p + 1]] are those of position p. weights: M x C P as Caffe
    has them. B outputs, a multiple of COLUMNS, are done at a time. Scratch, one a thread: packed (P x at least C B),
    panels (C ROWS + SLACK), products (TOGETHER x most rows of a position, and ROWS more, x B), sums (R x B).
    """
    threads, positions, (_, outputs) = len(packed), len(places), top.shape
    channels, block = pooled.shape[1], sums.shape[2]
    for thread in range(*share_of(threads, part, parts)):
        sources, targets = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
        panel, total = panels[thread], sums[thread]
        for begin in range(thread * block, outputs, threads * block):
            size = min(block, outputs - begin)
            weights_as_columns(weights[begin : begin + size], channels, sources, targets, packed[thread])
            total[:] = np.float32(0)
            for first in range(0, positions, TOGETHER):
                last = min(first + TOGETHER, positions)
                for p in range(first, last):
                    numbers, product = rows[starts[p] : starts[p + 1]], products[thread, p - first]
                    multiply_position(
                        pooled, numbers, packed[thread, p], size, sources, targets, panel, product
                    )
                add_rows(products[thread], places[first:last], total)
            write_outputs(total, begin, size, bias, top)
