"""Products of filters of one pixel with images, and their gradients, in the processor's tile registers.

Images are N x channels x pixels, float32. A unit is TILE pixels of an image, or what is left at its end, a step STEP of
them; panels (see tile_registers.py) hold units, or steps, of one image after the other, so that small images fill them.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.addresses import FLOAT, floats
from caffe_compat.layers.kernels.bfloat16_panels import (
    PAIR,
    lay_out_across,
    lay_out_along,
    lay_out_pair,
    lay_out_row,
    turn_tiles,
)
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared
from caffe_compat.layers.kernels.tile_products import DEPTH, multiply_panels
from caffe_compat.layers.kernels.tile_registers import (
    SIDE,
    STEP,
    STEP_BYTES,
    TILE,
    TILE_BYTES,
    configure,
    release,
)

STEPS = DEPTH // STEP  # that are summed up at a time


@shared()
def lay_out_filters(filters, turned, panels, infinite, part, parts):
    """panels = the rows of filters, turned: their columns, SIDE a panel; infinite (a panel each): whether one is so."""
    rows, depth = (filters.shape[1], filters.shape[0]) if turned else filters.shape
    source, pitch, panel_bytes = filters.ctypes.data, filters.shape[1], panels.strides[0]
    for p in range(*share_of(len(panels), part, parts)):
        first, count, panel = p * SIDE, min(SIDE, rows - p * SIDE), panels[p].ctypes.data
        if turned:
            infinite[p] = lay_out_across(
                source + FLOAT * first, pitch, depth, count, True, panel, panel_bytes
            )
        else:
            row = source + FLOAT * first * pitch
            infinite[p] = lay_out_along(row, pitch, depth, count, False, panel, panel_bytes)


@piece()
def _run(unit, end, size, pixels):
    """Of units of `size` pixels, from one on, those of its image before `end`: the image, its first pixel, how many
    pixels, and the unit behind them."""
    units = -(-pixels // size)
    image, first = unit // units, unit % units * size
    stop = min(end, (image + 1) * units)
    return image, first, min(pixels - first, (stop - unit) * size), stop


@piece()
def _lay_out_pixels(images, channel, depth, begin, end, panels):
    """panels = `depth` channels of the units begin to end, as columns; returns whether a number is infinite."""
    pixels, infinite, unit = images.shape[2], 0, begin
    while unit < end:
        image, first, count, stop = _run(unit, end, TILE, pixels)
        source = images[image, channel, first:].ctypes.data
        for k in range(0, -(-depth // STEP) * STEP, 2):
            for c in range(0, count, TILE):
                column = (unit - begin) * TILE + c
                infinite |= lay_out_pair(
                    source + FLOAT * (k * pixels + c), pixels, k, depth, count - c, column,
                    panels.ctypes.data, panels.strides[0],
                )  # fmt: skip
        unit = stop
    return infinite


@piece()
def _multiply_numbers(filters, turned, images, begin, end, sums):
    """What tiles make of units, number by number."""
    pixels, unit = images.shape[2], begin
    while unit < end:
        image, first, count, stop = _run(unit, end, TILE, pixels)
        low = (unit - begin) * TILE
        for m in range(filters.shape[1] if turned else filters.shape[0]):
            line = sums[m, low : low + count]
            line[:] = np.float32(0)
            for k in range(images.shape[1]):
                value, row = (
                    filters[k, m] if turned else filters[m, k],
                    images[image, k, first : first + count],
                )
                for c in range(count):
                    line[c] += value * row[c]
        unit = stop


@piece()
def _write(sums, bias, begin, end, outs):
    """outs = the sums of the units begin to end, and bias."""
    outputs, pixels, unit = outs.shape[1], outs.shape[2], begin
    while unit < end:
        image, first, count, stop = _run(unit, end, TILE, pixels)
        low = (unit - begin) * TILE
        for m in range(outputs):
            line, row, more = sums[m, low : low + count], outs[image, m, first : first + count], bias[m]
            for c in range(count):
                row[c] = line[c] + more
        unit = stop


@shared()
def filter_pixels(
    filters, turned, lefts, infinite, images, bias, cuts, rights, sums, stages, outs, part, parts
):
    """outs (N x M x pixels) = filters (M x C, or turned: C x M) times images (N x C x pixels) + bias (M).

    lefts, infinite: see `lay_out_filters`. cuts: parts of the units. Scratch, one a part: rights (panels of DEPTH
    channels), sums (M, and as many as fill a tile, x their pixels), stages (SIDE x SIDE).
    """
    (count, channels, pixels), outputs = images.shape, outs.shape[1]
    units, wide = -(-pixels // TILE) * count, 2 * rights.shape[1]
    is_infinite = infinite.any()
    configure()
    for job in range(*share_of(cuts, part, parts)):
        right, total = rights[job], sums[job]
        stop = -(-units // 2) * (job + 1) // cuts * 2
        for begin in range(-(-units // 2) * job // cuts * 2, min(stop, units), wide):
            end, bad = min(begin + wide, stop, units), is_infinite
            for first in range(0, channels, DEPTH):
                some = min(DEPTH, channels - first)
                bad |= _lay_out_pixels(images, first, some, begin, end, right) != 0
                for p in range(len(lefts)):
                    rows = -(-min(SIDE, outputs - p * SIDE) // TILE) * TILE
                    left = lefts[p].ctypes.data + first // STEP * STEP_BYTES
                    multiply_panels(
                        rows, (end - begin) * TILE, some, left, right.ctypes.data, right.strides[0], first > 0,
                        stages[job], total[p * SIDE :].ctypes.data, total.shape[1],
                    )  # fmt: skip
            if bad:
                _multiply_numbers(filters, turned, images, begin, end, total)
            _write(total, bias, begin, end, outs)
    release()


@piece()
def _lay_out_steps(images, channel, count, begin, end, turned, panels):
    """panels = the pixels of `count` channels in the steps begin to end, as rows; returns whether one is infinite."""
    pixels, infinite = images.shape[2], 0
    for c in range(count):
        row = panels.ctypes.data + c // SIDE * panels.strides[0] + c % SIDE // TILE * TILE_BYTES
        row += PAIR * TILE * (c % TILE)
        step = begin
        while step < end:
            image, first, some, stop = _run(step, end, STEP, pixels)
            place = row + STEP_BYTES * (step - begin)
            infinite |= lay_out_row(images[image, channel + c, first:].ctypes.data, some, place)
            step = stop
    if turned:
        turn_tiles(count, end - begin, panels.ctypes.data, panels.strides[0])
    return infinite


@piece()
def _add_numbers(diffs, row, rows, images, channel, channels, begin, end, sums):
    """What tiles make of steps, number by number."""
    step = begin
    while step < end:
        image, first, count, stop = _run(step, end, STEP, images.shape[2])
        for m in range(rows):
            for c in range(channels):
                for q in range(first, first + count):
                    sums[m, c] += diffs[image, row + m, q] * images[image, channel + c, q]
        step = stop


@shared()
def sum_pixels(diffs, images, cuts, lefts, rights, stages, sums, part, parts):
    """sums (parts of the steps x M x C, and as many as fill tiles) = diffs (N x M x pixels) times images (N x C x
    pixels), summed over all pixels.

    cuts: into how many parts steps and channels are cut. Scratch, one a part: lefts (a panel), rights (panels of
    STEPS), stages (SIDE x SIDE).
    """
    (count, channels, pixels), outputs = images.shape, diffs.shape[1]
    steps, panels = -(-pixels // STEP) * count, -(-channels // SIDE)
    configure()
    for job in range(*share_of(cuts[0] * cuts[1], part, parts)):
        i, j = job // cuts[1], job % cuts[1]
        left, right, total = lefts[job], rights[job], sums[i]
        start, stop = steps * i // cuts[0], steps * (i + 1) // cuts[0]
        for low in range(panels * j // cuts[1], panels * (j + 1) // cuts[1], rights.shape[1]):
            channel = low * SIDE
            wide = (
                min(panels * (j + 1) // cuts[1] * SIDE, channel + rights.shape[1] * SIDE, channels) - channel
            )
            for begin in range(start, stop, STEPS):
                end = min(begin + STEPS, stop)
                is_infinite = _lay_out_steps(images, channel, wide, begin, end, True, right)
                for row in range(0, outputs, SIDE):
                    tall = min(SIDE, outputs - row)
                    infinite = _lay_out_steps(diffs, row, tall, begin, end, False, left[None])
                    to = total[row:, channel:]
                    if is_infinite | infinite:
                        if begin == start:
                            to[:tall, :wide] = np.float32(0)
                        _add_numbers(diffs, row, tall, images, channel, wide, begin, end, to)
                        continue
                    multiply_panels(
                        -(-tall // TILE) * TILE, -(-wide // TILE) * TILE, (end - begin) * STEP, left.ctypes.data,
                        right.ctypes.data, right.strides[0], begin > start, stages[job], to.ctypes.data,
                        total.shape[1],
                    )  # fmt: skip
    release()


@shared()
def add_sums(sums, total, part, parts):
    """total (M x C) += the sums of `sum_pixels`."""
    for m in range(*share_of(len(total), part, parts)):
        row = total[m]
        for i in range(len(sums)):
            line = floats(sums[i, m].ctypes.data, len(row))
            for c in range(len(row)):
                row[c] += line[c]
