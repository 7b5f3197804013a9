"""Convolutions of many small images: the rows of a tile are one place of several images.

All of them have the same taps outside of their image then, and these are left out: of 5 x 5 filters over 8 x 8 pixels
with their padding that is more than a quarter.

Images are laid out a block at a time, which stays in a cache: panels x pixels x images x width, a panel having `width`
channels. The threads share the lines of the blocks: line b * H' + y is row y of the outputs of block b. Stride and
dilation are 1, and the padding is smaller than the kernel. kernel, pad: of height and width, two int64.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.addresses import FLOAT, INTEGER
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.pixels_and_planes import to_pixels, to_planes
from caffe_compat.layers.kernels.shared import share_of, shared
from caffe_compat.layers.kernels.sum_tile import WIDTH, sum_products
from caffe_compat.layers.kernels.vectors import LANES


@piece()
def _lay_out(images, first, channels, block):
    """block (panels x pixels x at least so many images x width) = the channels from `first` on of images."""
    panels, pixels, together, width = block.shape
    targets = np.empty(pixels, np.int64)
    for n in range(len(images)):
        planes = images[n].reshape(images.shape[1], pixels)
        for panel in range(panels):
            begin = panel * width
            count = min(width, channels - begin)
            done = min(-(-count // LANES), width // LANES) * LANES if pixels >= LANES else 0
            for c in range(0, done, LANES):
                place = block[panel, 0, n, c:].ctypes.data
                for q in range(pixels):
                    targets[q] = place + FLOAT * q * together * width
                to_pixels(planes[first + begin + c : first + begin + count], 0, pixels, targets)
            for c in range(done, count):
                plane = planes[first + begin + c]
                for q in range(pixels):
                    block[panel, q, n, c] = plane[q]


@piece()
def _inside(place, kernel, pad, size):
    """The taps of the window at a place that lie inside of the image, as the ends of a range."""
    return max(0, pad - place), min(kernel, size + pad - place)


@piece()
def _filter_line(tile, wide, width, y, columns, size, kernel, pad, depth, offsets, block, packed, out, pitch):
    """out (rows, pitch apart, of columns x WIDTH) = row y of the outputs of a block.

    packed: taps x depth x WIDTH. offsets: where each of its taps x depth finds its number in the block.
    """
    top, bottom = _inside(y, kernel[0], pad[0], size[0])
    for x in range(columns):
        left, right = _inside(x, kernel[1], pad[1], size[1])
        whole = right - left == kernel[1]  # then all rows of taps lie one behind the other
        taps, end = ((bottom - top) * kernel[1], top + 1) if whole else (right - left, bottom)
        base = block + FLOAT * ((y - pad[0]) * size[1] + x - pad[1]) * tile[0] * width
        for i in range(top, end):
            first = (i * kernel[1] + left) * depth
            sum_products(
                tile, wide, taps * depth, offsets + INTEGER * first, base, width,
                packed + FLOAT * first * WIDTH, out + FLOAT * x * WIDTH, pitch, i > top,
            )  # fmt: skip


@shared()
def filter_places(
    images,
    first,
    channels,
    width,
    packed,
    kernel,
    pad,
    offsets,
    tile,
    layouts,
    stages,
    first_out,
    outputs,
    outs,
    part,
    parts,
):
    """outs (N x M x H' x W'), in `outputs` channels from first_out on = filters of `channels` channels from `first` on.

    packed: panels x taps x channels x WIDTH (see conv_gradients.py). offsets: see `_filter_line`. tile: its rows are
    images of a block. Scratch, one a thread: layouts (a block), stages (rows x at least an output's pixels x WIDTH).
    """
    threads, size, pixels = len(layouts), images.shape[2:], images.shape[2] * images.shape[3]
    (height, columns), rows = outs.shape[2:], tile[0]
    lines, panels, pitch = -(-len(images) // rows) * height, -(-channels // width), stages.shape[2]
    for thread in range(*share_of(threads, part, parts)):
        block = layouts[thread, : panels * pixels * rows * width].reshape(panels, pixels, rows, width)
        stage = stages[thread]
        line, end = share_of(lines, thread, threads)
        while line < end:
            n, y = line // height * rows, line % height
            stop = min(height, y + end - line)
            some, results = images[n : n + rows], outs[n : n + rows]
            _lay_out(some, first, channels, block)
            for panel in range(len(packed)):
                for k in range(y, stop):
                    _filter_line(
                        tile, outputs - panel * WIDTH > LANES, width, k, columns, size, kernel, pad, channels,
                        offsets.ctypes.data, block.ctypes.data, packed[panel].ctypes.data,
                        stage.ctypes.data + FLOAT * (k - y) * columns * WIDTH, pitch,
                    )  # fmt: skip
                for i in range(len(some)):
                    sums = stage[i, : pitch // WIDTH * WIDTH].reshape(-1, WIDTH)
                    out = results[i, first_out : first_out + outputs].reshape(outputs, -1)
                    to_planes(sums, panel * WIDTH, (stop - y) * columns, out, y * columns)
            line += stop - y


@piece()
def _sum_line(tile, outputs, y, columns, size, kernel, pad, offsets, block, out_block, sums):
    """Add to the sums what row y of the outputs of a block has for each tap."""
    panels, _, together, width = block.shape
    rows, taps = tile[0], kernel[0] * kernel[1]
    chunks = -(-width // rows)
    top, bottom = _inside(y, kernel[0], pad[0], size[0])
    for tap in range(top * kernel[1], bottom * kernel[1]):
        i, j = tap // kernel[1], tap % kernel[1]
        left, right = _inside(j, columns, pad[1], size[1])
        pixel, out_pixel = (y + i - pad[0]) * size[1] + left + j - pad[1], y * columns + left
        for panel in range(panels):
            for chunk in range(chunks):
                left_factor = block[panel, pixel].ctypes.data + FLOAT * chunk * rows
                for out in range(len(out_block)):
                    sum_products(
                        tile, outputs - out * WIDTH > LANES, (right - left) * together, offsets, left_factor, 1,
                        out_block[out, out_pixel].ctypes.data,
                        sums[(panel * taps + tap) * chunks + chunk, out].ctypes.data, WIDTH, True,
                    )  # fmt: skip


@shared()
def sum_places(
    images,
    first,
    channels,
    width,
    diffs,
    first_out,
    outputs,
    kernel,
    pad,
    tile,
    together,
    layouts,
    out_layouts,
    sums,
    part,
    parts,
):
    """sums (threads x tiles x panels of outputs x rows x WIDTH) = the gradient of filters, a part for each thread.

    The rows of a tile are channels of a panel for a tap. together: images of a block. layouts, out_layouts: scratch,
    one a thread, for a block of images and one of diffs.
    """
    threads, size, pixels = len(layouts), images.shape[2:], images.shape[2] * images.shape[3]
    height, columns = diffs.shape[2:]
    lines, panels, out_panels = -(-len(images) // together) * height, -(-channels // width), sums.shape[2]
    offsets = np.arange(columns * together) * width
    for thread in range(*share_of(threads, part, parts)):
        sums[thread] = 0
        line, end = share_of(lines, thread, threads)
        while line < end:
            n, y = line // height * together, line % height
            stop = min(height, y + end - line)
            some, some_diffs = images[n : n + together], diffs[n : n + together]
            shape, out_shape = (
                (panels, pixels, len(some), width),
                (out_panels, height * columns, len(some), WIDTH),
            )
            block = layouts[thread, : panels * pixels * len(some) * width].reshape(shape)
            out_block = out_layouts[thread, : out_panels * height * columns * len(some) * WIDTH].reshape(
                out_shape
            )
            _lay_out(some, first, channels, block)
            _lay_out(some_diffs, first_out, outputs, out_block)
            for k in range(y, stop):
                _sum_line(
                    tile,
                    outputs,
                    k,
                    columns,
                    size,
                    kernel,
                    pad,
                    offsets.ctypes.data,
                    block,
                    out_block,
                    sums[thread],
                )
            line += stop - y
