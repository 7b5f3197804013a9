"""Convolution forward without columns: images are laid out once, and tiles of outputs are filtered from there.

An image is cut into bands of output rows that fit into a cache. What a band sees is laid out with its padding, each
phase (the pixels that one tap of a filter meets as it strides) as a plane of its own, all rows `pitch` apart. There a
tap finds the pixel of output q at q + its offset, for all q of the band as one long row: the few q between the rows of
outputs are computed too, and not written. A 1 x 1 filter with stride 1 takes the image as it is.

Source: the layout by phases as in phases.py; see filter_tile.py for the rest.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.addresses import FLOAT, floats, integers
from caffe_compat.layers.kernels.calls import Callee, caller
from caffe_compat.layers.kernels.filter_tile import TILE
from caffe_compat.layers.kernels.micro_kernel import LANES
from caffe_compat.layers.kernels.step import SIGNATURE, step_at

_call_tile = caller(TILE)


@njit(cache=True, error_model="numpy")
def _lay_out(s, image, starts, first, rows, out):
    """out (channels x phases x plane) = what the output rows from `first` on see of an image, 0 outside of it.

    starts (int64, phases x 2): row and column of the image's pixel that the first output meets in each phase.
    """
    taken = (rows + s.plane // s.pitch - s.band) * s.pitch  # of a plane that is made for `band` rows
    for c in range(s.channels):
        pixels = image[c * s.height * s.width : (c + 1) * s.height * s.width]
        for p in range(s.phases):
            plane = out[(c * s.phases + p) * s.plane : (c * s.phases + p) * s.plane + taken]
            row, column = starts[2 * p] + first * s.stride_h, starts[2 * p + 1]
            low = min(max((s.stride_w - 1 - column) // s.stride_w, 0), s.pitch)
            high = min(max((s.width + s.stride_w - 1 - column) // s.stride_w, low), s.pitch)
            for y in range(taken // s.pitch):
                line = plane[y * s.pitch : (y + 1) * s.pitch]
                h = row + y * s.stride_h
                if not 0 <= h < s.height:
                    line[:] = np.float32(0)
                    continue
                for x in range(low):
                    line[x] = np.float32(0)
                source = pixels[h * s.width + column + low * s.stride_w :]
                inside = line[low:high]
                if s.stride_w == 1:
                    for x in range(len(inside)):
                        inside[x] = source[x]
                elif s.stride_w == 2:
                    for x in range(len(inside)):
                        inside[x] = source[2 * x]
                else:
                    for x in range(len(inside)):
                        inside[x] = source[s.stride_w * x]
                for x in range(high, s.pitch):
                    line[x] = np.float32(0)


@njit(cache=True, error_model="numpy")
def _find_columns(s, count, masks, places):
    """For each row of vectors of a band of `count` outputs: masks of the columns that are outputs, and the first's
    place among them."""
    columns = s.vectors * LANES
    x, place = 0, 0
    for panel in range(len(places)):
        places[panel] = place
        for j in range(s.vectors):
            bits = 0
            for lane in range(LANES):
                if x < s.out_width and panel * columns + j * LANES + lane < count:
                    bits |= 1 << lane
                    place += 1
                x += 1
                if x == s.pitch:
                    x = 0
            masks[panel * s.vectors + j] = bits


@njit(cache=True, error_model="numpy")
def _filter_band(s, group, base, count, first_row, last_row, added, top, masks, places):
    """The outputs of a band, `count` with those between its rows, of the panels of filters first_row to last_row."""
    area, columns = s.out_height * s.out_width, s.vectors * LANES
    filters = s.filters + FLOAT * group * (-(-s.outputs // s.rows) * s.rows) * s.depth
    bias, slope = s.bias + FLOAT * group * s.outputs, s.slope + FLOAT * group * s.outputs
    panels = len(places)
    rows_outside = s.rows * s.depth * (last_row - first_row) > s.channels * s.phases * s.plane
    steps = (last_row - first_row) * panels
    for step in range(steps):
        if rows_outside:
            row, panel = first_row + step // panels, step % panels
        else:
            row, panel = first_row + step % (last_row - first_row), step // (last_row - first_row)
        narrow = s.narrow_tile and masks[s.vectors * panel + 1] == 0
        place = FLOAT * (row * s.rows * area + places[panel])
        arguments = (
            min(s.rows, s.outputs - row * s.rows), s.depth, s.offsets,
            filters + FLOAT * row * s.rows * s.depth, base + FLOAT * panel * columns,
            bias + FLOAT * row * s.rows, slope + FLOAT * row * s.rows, s.limit,
            added + place if added else 0, top + place, area, masks.ctypes.data + 8 * panel * s.vectors,
        )  # fmt: skip
        _call_tile(s.narrow_tile if narrow else s.tile, arguments)


def _filter_images(address, part, parts):
    """One thread's part of a convolution.

    phases, pitch, plane, starts: of the layout, which `band` output rows at a time are laid out in, in the thread's
    scratch (scratch 0: the image is its own layout). depth: numbers of a filter; offsets: of each, in the layout.
    filters: packed for tiles of `rows`. tile: has `vectors`; narrow_tile: has one, or 0 where there is none. splits:
    parts that the filters are cut into. bias, slope, limit, added: see `filter_tile`; bias and slope can be read for
    one tile's rows beyond the last.
    """
    s = step_at(address)
    bands = -(-s.out_height // s.band)
    panels = -(-s.outputs // s.rows)
    area, pixels = s.out_height * s.out_width, s.height * s.width
    columns = s.vectors * LANES
    most = -(-((s.band - 1) * s.pitch + s.out_width) // columns)
    masks, places = np.empty(most * s.vectors, np.int64), np.empty(most, np.int64)
    known = -1
    for job in range(part, s.images * s.groups * bands * s.splits, parts):
        rest, split = divmod(job, s.splits)
        rest, band = divmod(rest, bands)
        n, group = divmod(rest, s.groups)
        first = band * s.band
        rows = min(s.band, s.out_height - first)
        count = (rows - 1) * s.pitch + s.out_width
        found = -(-count // columns)
        if rows != known:
            _find_columns(s, count, masks, places[:found])
            known = rows
        bottom = s.bottom + FLOAT * (n * s.groups + group) * s.channels * pixels
        if s.scratch:
            base = s.scratch + FLOAT * part * s.scratch_size
            out = floats(base, s.channels * s.phases * s.plane)
            starts = integers(s.starts, 2 * s.phases)
            _lay_out(s, floats(bottom, s.channels * pixels), starts, first, rows, out)
        else:
            base = bottom + FLOAT * first * s.pitch
        place = FLOAT * ((n * s.groups + group) * s.outputs * area + first * s.out_width)
        _filter_band(
            s, group, base, count, panels * split // s.splits, panels * (split + 1) // s.splits,
            s.added + place if s.added else 0, s.top + place, masks, places[:found],
        )  # fmt: skip


filter_images = Callee(SIGNATURE, _filter_images)


@njit(cache=True, error_model="numpy")
def pack_filters(filters, scale, rows, packed):
    """packed (panels x depth x rows) = the filters (M x depth), each by its scale; 0 for rows beyond them."""
    panels, depth = packed.shape[0], filters.shape[1]
    for panel in range(panels):
        count = min(rows, len(filters) - panel * rows)
        for r in range(rows):
            if r < count:
                factor = scale[panel * rows + r]
                for k in range(depth):
                    packed[panel, k, r] = filters[panel * rows + r, k] * factor
            else:
                for k in range(depth):
                    packed[panel, k, r] = np.float32(0)
