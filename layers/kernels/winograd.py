"""Winograd's minimal filtering F(4 x 4, 3 x 3): 4 x 4 outputs of a 3 x 3 filter from 36 products instead of 144.

A tile is 4 x 4 outputs, and the 6 x 6 pixels that they see. places (int64, tiles x 3): the image of each, and its first
row and column of outputs. stages: scratch, one a thread, of STAGE x COLUMNS, with anything in the columns that do not
count.
A transformed tile or filter has 36 points. At each point filters times tiles are a product of matrices, for which both
are transformed right into panels, as micro_kernel.py reads them.

Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2015), section 4.1.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels import winograd_transforms
from caffe_compat.layers.kernels.addresses import FLOAT
from caffe_compat.layers.kernels.micro_kernel import COLUMNS, ROWS, SLACK, multiply
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared
from caffe_compat.layers.kernels.vectors import LANES
from caffe_compat.layers.kernels.winograd_transforms import OUTPUTS, PIXELS, POINTS

PAIR = 2 * ROWS  # rows of two panels, which are transformed at once: LANES of each, of which ROWS count

assert COLUMNS == 2 * LANES  # so that a transform fills two panels of rows


@piece(forceinline=True)
def _read(plane, top, left, side, lane, stage):
    """stage (side^2 x COLUMNS)[:, lane] = the square of pixels from (top, left) on, 0 outside the plane."""
    height, width = plane.shape
    if top >= 0 and left >= 0 and top + side <= height and left + side <= width:
        for y in range(side):
            for x in range(side):
                stage[y * side + x, lane] = plane[top + y, left + x]
    else:
        for y in range(side):
            for x in range(side):
                inside = 0 <= top + y < height and 0 <= left + x < width
                stage[y * side + x, lane] = plane[top + y, left + x] if inside else np.float32(0)


@shared()
def tiles_as_columns(images, places, pad, stages, out, part, parts):
    """out (36 x panels of channels x COLUMNS): the transformed tiles at `places`, each a column."""
    threads, channels, tiles = len(stages), images.shape[1], len(places)
    panels = -(-tiles // COLUMNS)
    cuts = max(1, threads * 4 // panels)
    for thread in range(*share_of(threads, part, parts)):
        stage = stages[thread]
        for job in range(thread, panels * cuts, threads):
            panel, cut = job // cuts, job % cuts
            first = panel * COLUMNS
            for c in range(channels * cut // cuts, channels * (cut + 1) // cuts):
                for lane in range(min(COLUMNS, tiles - first)):
                    place = places[first + lane]
                    _read(images[place[0], c], place[1] - pad, place[2] - pad, PIXELS, lane, stage)
                to = out.ctypes.data + FLOAT * (panel * channels + c) * COLUMNS
                winograd_transforms.of_pixels(stage.ctypes.data, COLUMNS, to, out.shape[1], LANES)


@shared()
def channels_as_columns(images, places, pad, stages, out, part, parts):
    """out (36 x panels of tiles x COLUMNS): the transformed tiles at `places`; each channel is a column."""
    threads, channels, tiles = len(stages), images.shape[1], len(places)
    panels = -(-channels // COLUMNS)
    for thread in range(*share_of(threads, part, parts)):
        stage = stages[thread]
        for job in range(thread, panels * tiles, threads):
            panel, t = job // tiles, job % tiles
            place = places[t]
            for lane in range(min(COLUMNS, channels - panel * COLUMNS)):
                plane = images[place[0], panel * COLUMNS + lane]
                _read(plane, place[1] - pad, place[2] - pad, PIXELS, lane, stage)
            to = out.ctypes.data + FLOAT * (panel * tiles + t) * COLUMNS
            winograd_transforms.of_pixels(stage.ctypes.data, COLUMNS, to, out.shape[1], LANES)


@piece()
def _outputs_as_rows(out_diffs, places, first, stage, out):
    """out (36 x two panels of tiles x ROWS): the transformed tiles of gradients, of the channels from `first` on."""
    count, tiles = min(PAIR, out_diffs.shape[1] - first), len(places)
    for t in range(tiles):
        place = places[t]
        for r in range(count):
            lane = r if r < ROWS else r + SLACK
            _read(out_diffs[place[0], first + r], place[1], place[2], OUTPUTS, lane, stage)
        to = out.ctypes.data + FLOAT * t * ROWS
        winograd_transforms.of_outputs(stage.ctypes.data, COLUMNS, to, out.shape[1], tiles * ROWS + SLACK)


CHUNK = 16  # input channels of filters that are read at a time
STAGE = CHUNK * 9  # rows of a stage, which each transform reads from


@piece()
def _filters_as_rows(filters, first, turned, stage, out):
    """out (36 x two panels of channels x ROWS): the transformed filters from `first` on.

    turned: rows are the filters' input channels, and filters are turned by 180 degrees, as gradients of images see
    them.
    """
    rows, channels = (filters.shape[1], filters.shape[0]) if turned else filters.shape[:2]
    count = min(PAIR, rows - first)
    for begin in range(0, channels, CHUNK):
        size = min(CHUNK, channels - begin)
        for r in range(count):
            lane = r if r < ROWS else r + SLACK
            for c in range(size):
                one = filters[begin + c, first + r] if turned else filters[first + r, begin + c]
                for y in range(3):
                    for x in range(3):
                        place = 8 - (3 * y + x) if turned else 3 * y + x
                        stage[9 * c + place, lane] = one[y, x]
        for c in range(size):
            to = out.ctypes.data + FLOAT * (begin + c) * ROWS
            winograd_transforms.of_filters(
                stage[9 * c :].ctypes.data, COLUMNS, to, out.shape[1], channels * ROWS + SLACK
            )


@piece()
def _write(stage, bias, places, m, outs):
    """The outputs of channel m of the tiles at `places` = stage (16 x COLUMNS) + bias."""
    height, width = outs.shape[2:]
    for lane in range(len(places)):
        image, top, left = places[lane, 0], places[lane, 1], places[lane, 2]
        plane = outs[image, m]
        if top + OUTPUTS <= height and left + OUTPUTS <= width:
            for y in range(OUTPUTS):
                for x in range(OUTPUTS):
                    plane[top + y, left + x] = stage[OUTPUTS * y + x, lane] + bias
        else:
            for y in range(min(OUTPUTS, height - top)):
                for x in range(min(OUTPUTS, width - left)):
                    plane[top + y, left + x] = stage[OUTPUTS * y + x, lane] + bias


GROUP = 4  # panels of columns that two panels of rows are multiplied with, point by point


@piece()
def _multiply_points(depth, rows, columns, first, count, outputs, products):
    """products (count x 36 x PAIR x COLUMNS) = two panels of rows times `count` panels of columns, at each point.

    depth: how many numbers each product sums up. outputs: how many of the rows there are.
    """
    left, right, out = rows.ctypes.data, columns.ctypes.data, products.ctypes.data
    for i in range(POINTS):
        for g in range(count):
            for half in range(2):
                if half * ROWS < outputs:
                    a = left + FLOAT * (i * rows.shape[1] + half * (depth * ROWS + SLACK))
                    b = right + FLOAT * (i * columns.shape[1] + (first + g) * depth * COLUMNS)
                    to = out + FLOAT * ((g * POINTS + i) * PAIR + half * ROWS) * COLUMNS
                    multiply(depth, a, b, to, COLUMNS, False)


@shared()
def filter_columns(v, filters, turned, bias, places, cuts, u, y, stages, outs, part, parts):
    """outs = filters * tiles + bias, of the tiles v from `tiles_as_columns`, at `places`.

    Two panels of filters are transformed at a time. cuts: into how many parts the tiles are cut, so that all threads
    have work. Scratch, one a thread: u (36 x two panels of channels x ROWS), y (GROUP x 36 x PAIR x COLUMNS).
    """
    threads, outputs, tiles = len(u), outs.shape[1], len(places)
    channels = filters.shape[0] if turned else filters.shape[1]
    pairs, panels = -(-outputs // PAIR), -(-tiles // COLUMNS)
    for thread in range(*share_of(threads, part, parts)):
        stage = stages[thread]
        for job in range(thread, pairs * cuts, threads):
            first, cut = job // cuts * PAIR, job % cuts
            _filters_as_rows(filters, first, turned, stage, u[thread])
            low, high = panels * cut // cuts, panels * (cut + 1) // cuts
            for group in range(low, high, GROUP):
                together = min(GROUP, high - group)
                _multiply_points(channels, u[thread], v, group, together, outputs - first, y[thread])
                for g in range(together):
                    before = (group + g) * COLUMNS
                    some = places[before : min(before + COLUMNS, tiles)]
                    for r in range(min(PAIR, outputs - first)):
                        source = y[thread, g].ctypes.data + FLOAT * r * COLUMNS
                        winograd_transforms.to_outputs(
                            source, PAIR * COLUMNS, stage.ctypes.data, COLUMNS, LANES
                        )
                        _write(stage, bias[first + r], some, first + r, outs)


@piece()
def _add_filters(stage, m, first, filters):
    """filters[m, first : first + COLUMNS] += stage (9 x COLUMNS)."""
    for lane in range(min(COLUMNS, filters.shape[1] - first)):
        one = filters[m, first + lane]
        for y in range(3):
            for x in range(3):
                one[y, x] += stage[3 * y + x, lane]


@shared()
def add_filters_gradient(v, out_diffs, places, cuts, d, y, stages, filters_diff, part, parts):
    """filters_diff += the gradient, of the tiles v from `channels_as_columns`, at `places`.

    cuts: into how many parts the channels are cut, so that all threads have work. Scratch, one a thread: d (36 x two
    panels of tiles x ROWS), y (GROUP x 36 x PAIR x COLUMNS).
    """
    threads, (outputs, channels) = len(d), filters_diff.shape[:2]
    pairs, panels = -(-outputs // PAIR), -(-channels // COLUMNS)
    for thread in range(*share_of(threads, part, parts)):
        stage = stages[thread]
        for job in range(thread, pairs * cuts, threads):
            first, cut = job // cuts * PAIR, job % cuts
            _outputs_as_rows(out_diffs, places, first, stage, d[thread])
            low, high = panels * cut // cuts, panels * (cut + 1) // cuts
            for group in range(low, high, GROUP):
                together = min(GROUP, high - group)
                _multiply_points(len(places), d[thread], v, group, together, outputs - first, y[thread])
                for g in range(together):
                    for r in range(min(PAIR, outputs - first)):
                        source = y[thread, g].ctypes.data + FLOAT * r * COLUMNS
                        winograd_transforms.to_filters(
                            source, PAIR * COLUMNS, stage.ctypes.data, COLUMNS, LANES
                        )
                        _add_filters(stage, first + r, (group + g) * COLUMNS, filters_diff)
