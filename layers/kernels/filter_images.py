"""Convolution forward without columns: images are laid out once, and tiles of outputs are filtered from there.

An image is cut into bands of output rows that fit into a cache. What a band sees is laid out with its padding, each
phase (see lay_out.py) as a plane of its own, all rows `pitch` apart. There a tap finds the pixel of output q at q + its
offset, for all q of the band as one long row: the few q between the rows of outputs are computed too, and not
written. A 1 x 1 filter with stride 1 takes the image as it is.

Source: the layout by phases as in phases.py; see filter_tile.py for the rest.
"""

from __future__ import annotations

from numba import njit

from caffe_compat.layers.kernels.addresses import FLOAT, INTEGER, integers
from caffe_compat.layers.kernels.calls import Callee, caller
from caffe_compat.layers.kernels.filter_tile import TILE
from caffe_compat.layers.kernels.lay_out import lay_out_phases
from caffe_compat.layers.kernels.shared import share_of
from caffe_compat.layers.kernels.step import SIGNATURE, step_at
from caffe_compat.layers.kernels.sum_tile import copy_vector
from caffe_compat.layers.kernels.vectors import LANES

NEAR = 2**13  # numbers of a layout (32 kB) that stay in a core's first cache
_call_tile = caller(TILE)


@njit(error_model="numpy", inline="always")
def _lay_out_panels(s, base, begin, end, out):
    """out (panels x depth x vectors x LANES) = what the tiles of the panels begin to end read, one behind the other."""
    offsets, starts = integers(s.offsets, s.depth), integers(s.vector_starts, s.panels * s.vectors)
    vectors, depth, width = s.vectors, s.depth, FLOAT * s.vectors * LANES
    for k in range(depth):
        source, to = base + FLOAT * offsets[k], out + k * width
        for panel in range(begin, end):
            for j in range(vectors):
                copy_vector(source + FLOAT * starts[panel * vectors + j], to + FLOAT * j * LANES)
            to += depth * width


@njit(error_model="numpy", inline="always")
def _filter_band(s, group, base, room, panels, first_row, last_row, added, top, masks):
    """The outputs of a band, cut into panels of vectors, of the panels of filters first_row to last_row.

    room: where `together` panels are laid out at a time, if they are.
    """
    area = s.out_height * s.out_width
    filters = s.filters + FLOAT * group * (-(-s.outputs // s.rows) * s.rows) * s.depth
    bias, slope = s.bias + FLOAT * group * s.outputs, s.slope + FLOAT * group * s.outputs
    bits = integers(masks, panels * s.vectors)
    offsets, starts, starts_step, pixels_step = s.offsets, s.vector_starts, s.vectors, 0
    if s.together:  # the tables of a panel that is laid out stand behind those of the others
        offsets, starts = offsets + INTEGER * s.depth, starts + INTEGER * s.panels * s.vectors
        starts_step, pixels_step, together = 0, s.depth * s.vectors * LANES, s.together
    else:
        numbers = s.channels * max(s.phases * s.plane, s.band * s.pitch)
        filters_are_more = s.rows * s.depth * (last_row - first_row) >= numbers
        together = panels if filters_are_more else max(1, NEAR * panels // numbers)
    pixels = room if s.together else base
    wide = panels - 1 if s.narrow_tile and bits[s.vectors * (panels - 1) + 1] == 0 else panels
    for begin in range(0, panels, together):
        end = min(begin + together, panels)
        if s.together:
            _lay_out_panels(s, base, begin, end, room)
        for row in range(first_row, last_row):
            count, weights = min(s.rows, s.outputs - row * s.rows), filters + FLOAT * row * s.rows * s.depth
            row_bias, row_slope = bias + FLOAT * row * s.rows, slope + FLOAT * row * s.rows
            place = FLOAT * row * s.rows * area
            for tile, first, last in ((s.tile, begin, min(end, wide)), (s.narrow_tile, wide, end)):
                if first < last:
                    arguments = (
                        count, s.depth, offsets, weights, pixels + FLOAT * pixels_step * (first - begin),
                        starts + INTEGER * starts_step * first, row_bias, row_slope, s.limit,
                        added + place if added else 0, top + place, area, masks + INTEGER * s.vectors * first,
                        last - first, pixels_step, starts_step, s.places + INTEGER * first,
                    )  # fmt: skip
                    _call_tile(tile, arguments)


def _filter_images(pointer, part, parts):
    """One thread's part of a convolution.

    phases, pitch, plane, starts: of the layout, which `band` output rows at a time are laid out in, in the thread's
    scratch (phases 0: the image is its own layout). panels: rows of vectors of a band's outputs; vector_starts: where
    in the band each vector begins; masks: which of its columns count; places: which output of the band each row begins
    with; last_panels and last_masks: of the last band. depth: numbers of a filter; offsets: of each, in the layout.
    together: how many panels are laid out once more before they are read, as tiles read them, or 0; offsets and
    vector_starts have those of such a panel behind the others.
    filters: packed for tiles of `rows`. tile: has `vectors`; narrow_tile: has one, or 0 where there is none. splits:
    parts that the filters are cut into. bias, slope, limit, added: see `filter_tile`; bias and slope can be read for
    one tile's rows beyond the last.
    """
    s = step_at(pointer)
    bands = -(-s.out_height // s.band)
    panels = -(-s.outputs // s.rows)
    area, pixels = s.out_height * s.out_width, s.height * s.width
    for job in range(*share_of(s.images * s.groups * bands * s.splits, part, parts)):
        rest, split = divmod(job, s.splits)
        rest, band = divmod(rest, bands)
        n, group = divmod(rest, s.groups)
        first = band * s.band
        rows = min(s.band, s.out_height - first)
        whole = rows == s.band
        bottom = s.bottom + FLOAT * (n * s.groups + group) * s.channels * pixels
        room = s.scratch + FLOAT * part * s.scratch_size
        base = room + FLOAT * s.together * s.depth * s.vectors * LANES
        if s.phases:
            lay_out_phases(s, bottom, integers(s.starts, 2 * s.phases), first, rows, base)
        else:
            base = bottom + FLOAT * first * s.pitch
        place = FLOAT * ((n * s.groups + group) * s.outputs * area + first * s.out_width)
        _filter_band(
            s, group, base, room, s.panels if whole else s.last_panels,
            panels * split // s.splits, panels * (split + 1) // s.splits,
            s.added + place if s.added else 0, s.top + place, s.masks if whole else s.last_masks,
        )  # fmt: skip


filter_images = Callee(SIGNATURE, _filter_images)
