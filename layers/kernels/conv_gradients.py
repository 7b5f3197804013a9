"""Gradients of convolutions of images without columns: both factors are laid out pixel by pixel, channels together.

What is laid out is `width` channels at a time, a panel: panels x rows x columns x width. So a row of a window is one
run of numbers, and the gradient of the filters is, for each pixel of the output, the product of such a run and the
pixel's gradients. The gradient of an image is, for each of its pixels, the sum over taps and outputs.

window: int64 4 x 2, the kernel, stride, pad and dilation of height and width.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.addresses import FLOAT
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.pixels_and_planes import to_pixels, to_planes
from caffe_compat.layers.kernels.shared import share_of, shared
from caffe_compat.layers.kernels.sum_tile import WIDTH, sum_products
from caffe_compat.layers.kernels.vectors import LANES


@piece()
def _lay_out(image, top, left, out):
    """out (panels x rows x columns x width) = the pixels from (top, left) on, 0 outside of the image.

    Where a panel has more room than channels there may be anything.
    """
    channels, height, width = image.shape
    panels, rows, columns, lanes = out.shape
    above, below = min(max(-top, 0), rows), max(min(height - top, rows), 0)
    low, high = min(max(-left, 0), columns), max(min(width - left, columns), 0)
    if above > 0 or below < rows or low > 0 or high < columns:
        out[:] = 0
    if below <= above or high <= low:
        return
    pixels = (below - above) * width
    planes, first = image.reshape(channels, -1), (top + above) * width
    nowhere, targets = np.empty(LANES, np.float32), np.empty(pixels, np.int64)
    for panel in range(panels):
        count = min(lanes, channels - panel * lanes)
        done = 0 if pixels < LANES else min(-(-count // LANES), lanes // LANES) * LANES
        for block in range(0, done, LANES):
            for y in range(above, below):
                for x in range(width):
                    seen = low <= x - left < high
                    place = out[panel, y, x - left, block:].ctypes.data if seen else nowhere.ctypes.data
                    targets[(y - above) * width + x] = place
            to_pixels(planes[panel * lanes + block : panel * lanes + count], first, pixels, targets)
        for y in range(above, below):
            for x in range(low, high):
                for c in range(done, count):
                    out[panel, y, x, c] = image[panel * lanes + c, top + y, left + x]


@shared()
def lay_out_images(images, first, channels, top, left, out, part, parts):
    """out (N x panels x rows x columns x width) = pixels of the images from (top, left) on, 0 outside of them.

    first, channels: which channels of the images.
    """
    panels, width = out.shape[1], out.shape[4]
    for job in range(*share_of(len(images) * panels, part, parts)):
        n, panel = job // panels, job % panels
        begin, end = panel * width, min((panel + 1) * width, channels)
        _lay_out(images[n, first + begin : first + end], top, left, out[n, panel : panel + 1])


@shared()
def sum_filters(
    images, diffs, outputs, window, runs, run, tile, pixel_rows, together, cuts, sums, part, parts
):
    """sums (splits x tiles x panels of outputs x rows x WIDTH) = the gradient of filters.

    images: N x panels x H x W x width, diffs: N x panels x H' x W' x WIDTH, laid out; outputs: how many there are in
    all. runs: where in a panel's window (in pixels of the layout) each run of `run` numbers begins, which tiles
    cover. pixel_rows: rows of outputs that are summed up at a time, in `together` tiles. The tiles are cut into `cuts`,
    and what is summed up into the splits.
    """
    count, panels, height, wide, width = images.shape
    (out_panels, out_height, out_width), rows = diffs.shape[1:4], tile[0]
    stride_h, stride_w = window[1]
    chunks = -(-run // rows)
    splits, tiles = len(sums), panels * len(runs) * chunks
    blocks = -(-out_height // pixel_rows)
    offsets = np.empty(pixel_rows * out_width, np.int64)
    for y in range(pixel_rows):
        for x in range(out_width):
            offsets[y * out_width + x] = (y * stride_h * wide + x * stride_w) * width
    for job in range(*share_of(cuts * splits, part, parts)):
        split, cut = job // cuts, job % cuts
        low, high = count * blocks * split // splits, count * blocks * (split + 1) // splits
        first, last = tiles * cut // cuts, tiles * (cut + 1) // cuts
        for step in range(-(-(last - first) // together) * (high - low)):
            begin, block = first + step // (high - low) * together, low + step % (high - low)
            n, y = block // blocks, block % blocks * pixel_rows
            depth = min(pixel_rows, out_height - y) * out_width
            for number in range(begin, min(begin + together, last)):
                panel, rest = number // (len(runs) * chunks), number % (len(runs) * chunks)
                start, chunk = runs[rest // chunks], rest % chunks
                place = (((n * panels + panel) * height + y * stride_h) * wide + start) * width + chunk * rows
                for out in range(out_panels):
                    b = ((n * out_panels + out) * out_height + y) * out_width * WIDTH
                    c = ((split * tiles + number) * out_panels + out) * rows * WIDTH
                    sum_products(
                        tile, outputs - out * WIDTH > LANES, depth, offsets.ctypes.data,
                        images.ctypes.data + FLOAT * place, 1, diffs.ctypes.data + FLOAT * b,
                        sums.ctypes.data + FLOAT * c, WIDTH, block > low,
                    )  # fmt: skip


@shared()
def add_filters(sums, taps_of_runs, width, filters_diff, part, parts):
    """filters_diff (M x C x kernel_h x kernel_w) += the sums of `sum_filters`, whose panels have `width` channels.

    taps_of_runs: how many of the kernel's elements lie in a run, one behind the other.
    """
    outputs, channels, kernel_h, kernel_w = filters_diff.shape
    splits, out_panels, rows = len(sums), sums.shape[2], sums.shape[3]
    chunks = -(-taps_of_runs * width // rows)
    runs, panels = kernel_h * kernel_w // taps_of_runs, -(-channels // width)
    for job in range(*share_of(out_panels * panels, part, parts)):
        out, panel = job // panels, job % panels
        count, some = min(width, channels - panel * width), min(WIDTH, outputs - out * WIDTH)
        stage = np.empty((WIDTH, width), np.float32)
        for run in range(runs):
            for tap in range(taps_of_runs):
                for lane in range(count):
                    tile, line = divmod(tap * width + lane, rows)
                    tile += (panel * runs + run) * chunks
                    for m in range(WIDTH):
                        stage[m, lane] = sums[0, tile, out, line, m]
                    for split in range(1, splits):
                        for m in range(WIDTH):
                            stage[m, lane] += sums[split, tile, out, line, m]
                row, column = divmod(run * taps_of_runs + tap, kernel_w)
                for m in range(some):
                    diff = filters_diff[out * WIDTH + m, panel * width :, row, column]
                    for lane in range(count):
                        diff[lane] += stage[m, lane]


@shared()
def pack_taps(filters, taps, packed, part, parts):
    """packed (panels x taps x M x WIDTH) = the filters (M x C x kernel_h x kernel_w), channels together.

    taps: int64, taps x 4, of which the first two numbers are row and column of the kernel.
    """
    outputs, channels = filters.shape[:2]
    panels = packed.shape[0]
    for job in range(*share_of(panels * outputs, part, parts)):
        panel, m = job // outputs, job % outputs
        first = panel * WIDTH
        count = min(WIDTH, channels - first)
        for t in range(len(taps)):
            row, column = taps[t, 0], taps[t, 1]
            line = packed[panel, t, m]
            line[count:] = 0
            for c in range(count):
                line[c] = filters[m, first + c, row, column]


@piece()
def _taps_of_row(taps, first, count, y, height):
    """Those of the `count` taps from `first` on that meet outputs from row y of a phase: the first, and how many."""
    end = first + count
    while end > first and y - taps[end - 1, 2] < 0:
        end -= 1
    while first < end and y - taps[first, 2] >= height:
        first += 1
    return first, end - first


@shared()
def image_gradients(
    out_diffs, first_out, outputs, packed, window, phases, taps, tile, band, layouts, stages, first, channels, diffs,
    part, parts,
):  # fmt: skip
    """diffs (N x C x H x W) = the gradient of images: in `channels` from `first` on, of `outputs` from first_out on.

    A phase has every stride-th row and column of the padded image. phases: int64, phases x 4: its first row and column,
    its first tap and its number of taps. taps: int64, taps x 4: row and column of the kernel, and how many rows and
    columns of outputs lie between it and the pixel's own place. packed: see `pack_taps`. band: rows of a phase that
    are laid out at a time. Scratch, one a thread: layouts (memory for rows x columns x width, and one tile more),
    stages (at least the pixels of a band of a phase, and one tile more, x WIDTH).
    """
    threads, width = len(layouts), layouts.shape[-1]
    height, wide = diffs.shape[2:]
    (stride_h, stride_w), (pad_h, pad_w) = window[1], window[2]
    above, before = (
        taps[0, 2],
        taps[0, 3],
    )  # np.max would bring SciPy with it when this is read from the cache
    for t in range(1, len(taps)):
        above, before = max(above, taps[t, 2]), max(before, taps[t, 3])
    top, left = pad_h // stride_h, pad_w // stride_w
    end, columns = (height - 1 + pad_h) // stride_h + 1, (wide - 1 + pad_w) // stride_w + 1 - left + before
    bands = -(-(end - top) // band)
    whole = stride_h == 1 and stride_w == 1  # so that a band's pixels lie one behind the other
    offsets = np.empty(len(taps) * outputs, np.int64)
    for t in range(len(taps)):
        for m in range(outputs):
            offsets[t * outputs + m] = m - (taps[t, 2] * columns + taps[t, 3]) * width
    for thread in range(*share_of(threads, part, parts)):
        stage = stages[thread]
        for job in range(thread, len(out_diffs) * bands, threads):
            n, begin = job // bands, top + job % bands * band
            stop = min(begin + band, end)
            layout = layouts[thread, : (stop - begin + above) * columns].reshape(1, -1, columns, width)
            _lay_out(out_diffs[n, first_out : first_out + outputs], begin - above, left - before, layout)
            diff = diffs[n, first : first + channels]
            for panel in range(len(packed)):
                some = min(WIDTH, channels - panel * WIDTH)
                for row, column, first_tap, count in phases:
                    low = -(-(pad_w - column) // stride_w)
                    pixels = (wide - 1 + pad_w - column) // stride_w + 1 - low
                    for y in range(begin, stop):
                        h = y * stride_h + row - pad_h
                        if not 0 <= h < height:
                            continue
                        tap, used = _taps_of_row(taps, first_tap, count, y, out_diffs.shape[2])
                        base = ((y - begin + above) * columns + low - left + before) * width
                        line = stage[(y - begin) * wide :] if whole else stage
                        for x in range(0, pixels, tile[0]):
                            sum_products(
                                tile, some > LANES, used * outputs, offsets[tap * outputs :].ctypes.data,
                                layouts[thread].ctypes.data + FLOAT * (base + x * width), width,
                                packed[panel, tap:].ctypes.data, line[x:].ctypes.data, WIDTH, False,
                            )  # fmt: skip
                        if not whole:
                            start = low * stride_w + column - pad_w
                            for c in range(some):
                                for x in range(pixels):
                                    diff[panel * WIDTH + c, h, start + stride_w * x] = line[x, c]
                if whole:
                    count, start = (stop - begin) * wide, (begin - pad_h) * wide
                    to_planes(stage, panel * WIDTH, count, diff.reshape(channels, -1), start)
