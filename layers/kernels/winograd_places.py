"""Winograd's minimal filtering F(2 x 2, 5 x 5) of many small images: 2 x 2 outputs from 36 products instead of 100.

A tile is 2 x 2 outputs, and the 6 x 6 pixels that they see, at 36 points. The images of a block are laid out pixel by
pixel with their padding, channels together; so vectors of channels are transformed as they lie there, and at each point
tiles times filters are a product of matrices. A row of tiles of a block is done at a time, from its pixels to its
outputs, so that all of it stays in a cache. The threads share the lines of the blocks: line b * T + t is row t of tiles
of block b.

Scratch, one a thread, which the functions here share: blocks (rows x columns x images x width), points (36 x at least
tiles of a row x images x width). pad: of height and width, two int64.

Source: Lavin and Gray (2015), as in winograd.py, whose points these are.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.addresses import FLOAT
from caffe_compat.layers.kernels.micro_kernel import COLUMNS, VECTORS
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.pixels_and_planes import to_pixels, to_planes
from caffe_compat.layers.kernels.shared import share_of, shared
from caffe_compat.layers.kernels.sum_tile import WIDTH, sum_products
from caffe_compat.layers.kernels.vectors import LANES
from caffe_compat.layers.kernels.winograd_transforms import (
    PIXELS,
    POINTS,
    SQUARE,
    of_filters_5,
    of_layout,
    of_square,
    to_filters_5,
    to_square,
)

KERNEL = 5


@piece()
def _lay_out(images, first, channels, pad, block):
    """The channels from `first` on of images, `pad` rows and columns behind the begin of the block."""
    together, width = block.shape[2:]
    count, height, wide = images.shape[1:]
    targets = np.empty(height * wide, np.int64)
    for n in range(len(images)):
        planes = images[n].reshape(count, height * wide)
        for c in range(0, channels, LANES):
            for y in range(height):
                place = block[y + pad[0], pad[1], n, c:].ctypes.data
                for x in range(wide):
                    targets[y * wide + x] = place + FLOAT * x * together * width
            to_pixels(planes[first + c : first + min(c + LANES, channels)], 0, height * wide, targets)


@piece()
def _pixel_distances(block):
    """How far behind the first pixel of a tile each of its pixels lies."""
    _, columns, together, width = block.shape
    distances = np.empty(POINTS, np.int64)
    for k in range(POINTS):
        distances[k] = (k // PIXELS * columns + k % PIXELS) * together * width
    return distances


@piece()
def _transform_row(block, row, tiles, distances, points):
    """points = the transformed tiles of a row."""
    together, width = block.shape[2:]
    for tile in range(tiles):
        for n in range(together):
            for c in range(0, width, COLUMNS):
                source = block[SQUARE * row, SQUARE * tile, n, c:].ctypes.data
                to = points.ctypes.data + FLOAT * ((tile * together + n) * width + c)
                of_layout(source, distances.ctypes.data, VECTORS, to, points.shape[1])


@shared()
def transform_filters(packed, transformed, part, parts):
    """transformed (panels x 36 x channels x WIDTH) = packed (panels x 25 x channels x WIDTH) filters, transformed."""
    panels, _, channels, _ = packed.shape
    for job in range(*share_of(panels * channels, part, parts)):
        panel, c = job // channels, job % channels
        source, to = packed[panel, 0, c].ctypes.data, transformed[panel, 0, c].ctypes.data
        of_filters_5(source, channels * WIDTH, to, channels * WIDTH, LANES)


@piece()
def _multiply(points, width, filters, tile, count, wide, products):
    """products = tiles times filters at each point; count: tiles of all images."""
    channels = filters.shape[1]
    offsets = np.arange(channels)
    for point in range(POINTS):
        for begin in range(0, count, tile[0]):
            sum_products(
                tile, wide, channels, offsets.ctypes.data, points[point].ctypes.data + FLOAT * begin * width, width,
                filters[point].ctypes.data, products[point, begin].ctypes.data, WIDTH, False,
            )  # fmt: skip


@piece()
def _write_row(products, tiles, together, images, row, columns, stage):
    """The outputs of a row of tiles, into a stage (images x pixels x WIDTH), whose rows have so many columns.

    What of a tile hangs over a row is written over by what comes later.
    """
    step = products.shape[1] * WIDTH
    for tile in range(tiles - 1, -1, -1):
        for i in range(images):
            to = stage[i, (row * columns + tile) * SQUARE * WIDTH :].ctypes.data
            to_square(products[0, tile * together + i].ctypes.data, step, to, columns * WIDTH, WIDTH)


@shared()
def filter_tiles(
    images,
    first,
    channels,
    filters,
    pad,
    tile,
    blocks,
    points,
    products,
    stages,
    first_out,
    outputs,
    outs,
    part,
    parts,
):
    """outs (N x M x H' x W'), in `outputs` channels from first_out on = filters of `channels` channels from `first` on.

    filters: transformed. tile: of sums. More scratch: products (36 x tiles of a row x images, and those of a
    tile of sums more, x WIDTH), stages (images x at least the pixels of an output, and of one row more, x WIDTH).
    """
    threads, together, width = len(blocks), blocks.shape[3], blocks.shape[4]
    height, columns = outs.shape[2:]
    tall, tiles = -(-height // SQUARE), -(-columns // SQUARE)
    lines = -(-len(images) // together) * tall
    for thread in range(*share_of(threads, part, parts)):
        block, stage = blocks[thread], stages[thread]
        block[:] = 0
        distances = _pixel_distances(block)
        line, end = share_of(lines, thread, threads)
        while line < end:
            n, low = line // tall * together, line % tall
            stop = min(tall, low + end - line)
            some, results = images[n : n + together], outs[n : n + together]
            _lay_out(some, first, channels, pad, block)
            for panel in range(len(filters)):
                for row in range(low, stop):
                    _transform_row(block, row, tiles, distances, points[thread])
                    wide = outputs - panel * WIDTH > LANES
                    _multiply(
                        points[thread], width, filters[panel], tile, tiles * together, wide, products[thread]
                    )
                    _write_row(products[thread], tiles, together, len(some), row - low, columns, stage)
                pixels = (min(height, SQUARE * stop) - SQUARE * low) * columns
                for i in range(len(some)):
                    sums = stage[i].reshape(-1, WIDTH)
                    out = results[i, first_out : first_out + outputs].reshape(outputs, -1)
                    to_planes(sums, panel * WIDTH, pixels, out, SQUARE * low * columns)
            line += stop - low


@piece()
def _transform_out_row(block, row, tiles, points):
    """points (panels x 36 x tiles x images x WIDTH) = the transformed tiles of a row of gradients."""
    _, columns, together, width = block.shape
    step = tiles * together * WIDTH
    for tile in range(tiles):
        for n in range(together):
            for panel in range(len(points)):
                source = block[SQUARE * row, SQUARE * tile, n, panel * WIDTH :].ctypes.data
                to = points[panel, 0, tile * together + n].ctypes.data
                of_square(to, step, source, columns * together * width, together * width)


@piece()
def _add_products(points, width, out_points, tile, outputs, sums):
    """Add to the sums, at each point, the products of channels and outputs over a row of tiles."""
    count = out_points.shape[2]
    offsets = np.arange(count) * width
    for point in range(POINTS):
        for chunk in range(sums.shape[1]):
            left = points[point].ctypes.data + FLOAT * chunk * tile[0]
            for panel in range(len(out_points)):
                sum_products(
                    tile, outputs - panel * WIDTH > LANES, count, offsets.ctypes.data, left, 1,
                    out_points[panel, point].ctypes.data, sums[point, chunk, panel].ctypes.data, WIDTH, True,
                )  # fmt: skip


@shared()
def sum_tiles(
    images,
    first,
    channels,
    diffs,
    first_out,
    outputs,
    pad,
    tile,
    blocks,
    out_blocks,
    points,
    out_points,
    sums,
    part,
    parts,
):
    """sums (threads x 36 x chunks of channels x panels of outputs x rows x WIDTH) = the gradient of filters at each
    point, a part for each thread; channels are rows of tiles. More scratch: of the gradients of outputs, see
    `_transform_out_row`."""
    threads, together, width = len(blocks), blocks.shape[3], blocks.shape[4]
    height, columns = diffs.shape[2:]
    tall, tiles = -(-height // SQUARE), -(-columns // SQUARE)
    lines, no_pad = -(-len(images) // together) * tall, np.zeros(2, np.int64)
    for thread in range(*share_of(threads, part, parts)):
        block, out_block = blocks[thread], out_blocks[thread]
        block[:] = 0
        out_block[:] = 0
        sums[thread] = 0
        distances = _pixel_distances(block)
        line, end = share_of(lines, thread, threads)
        while line < end:
            n, low = line // tall * together, line % tall
            stop = min(tall, low + end - line)
            some, some_diffs = images[n : n + together], diffs[n : n + together]
            out_block[:, :, len(some) :] = 0  # of images that are not there
            _lay_out(some, first, channels, pad, block)
            _lay_out(some_diffs, first_out, outputs, no_pad, out_block)
            for row in range(low, stop):
                _transform_row(block, row, tiles, distances, points[thread])
                _transform_out_row(out_block, row, tiles, out_points[thread])
                _add_products(points[thread], width, out_points[thread], tile, outputs, sums[thread])
            line += stop - low


@piece()
def _add(numbers, total):
    for i in range(len(total)):
        total[i] += numbers[i]


@shared()
def add_filters(sums, filters_diff, part, parts):
    """filters_diff (M x C x 5 x 5) += the sums of `sum_tiles`."""
    outputs, channels = filters_diff.shape[:2]
    rows = sums.shape[4]
    for c in range(*share_of(channels, part, parts)):
        total, taps = np.empty((POINTS, WIDTH), np.float32), np.empty((KERNEL * KERNEL, WIDTH), np.float32)
        for panel in range(sums.shape[3]):
            for point in range(POINTS):
                for lane in range(WIDTH):
                    total[point, lane] = sums[0, point, c // rows, panel, c % rows, lane]
            for thread in range(1, len(sums)):
                for point in range(POINTS):
                    _add(sums[thread, point, c // rows, panel, c % rows], total[point])
            to_filters_5(total.ctypes.data, WIDTH, taps.ctypes.data, WIDTH, LANES)
            for m in range(min(WIDTH, outputs - panel * WIDTH)):
                one = filters_diff[panel * WIDTH + m, c]
                for k in range(KERNEL * KERNEL):
                    one[k // KERNEL, k % KERNEL] += taps[k, m]
