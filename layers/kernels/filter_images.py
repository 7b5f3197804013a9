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
from caffe_compat.layers.kernels.lay_out import lay_out_panels, lay_out_phases
from caffe_compat.layers.kernels.micro_kernel import LANES
from caffe_compat.layers.kernels.step import SIGNATURE, step_at

_call_tile = caller(TILE)


@njit(error_model="numpy", inline="always")
def _filter_band(s, group, base, pixels, panels, first_row, last_row, added, top, masks):
    """The outputs of a band, cut into panels of vectors, of the panels of filters first_row to last_row.

    pixels: where the band begins, whose panels are laid out here, at base; 0: the band is.
    """
    area = s.out_height * s.out_width
    filters = s.filters + FLOAT * group * (-(-s.outputs // s.rows) * s.rows) * s.depth
    bias, slope = s.bias + FLOAT * group * s.outputs, s.slope + FLOAT * group * s.outputs
    places, bits = integers(s.places, panels), integers(masks, panels * s.vectors)
    together, size = 1, 0
    if pixels:
        together, size = s.together, FLOAT * s.depth * s.vectors * LANES
    elif s.rows * s.depth * (last_row - first_row) > s.channels * s.phases * s.plane:
        together = panels
    for begin in range(0, panels, together):
        end = min(begin + together, panels)
        if pixels:
            lay_out_panels(s, pixels + FLOAT * begin * s.vectors * LANES, end - begin, base)
        for row in range(first_row, last_row):
            count, weights = min(s.rows, s.outputs - row * s.rows), filters + FLOAT * row * s.rows * s.depth
            row_bias, row_slope = bias + FLOAT * row * s.rows, slope + FLOAT * row * s.rows
            for panel in range(begin, end):
                narrow = s.narrow_tile and bits[s.vectors * panel + 1] == 0
                place, of_panel = FLOAT * (row * s.rows * area + places[panel]), INTEGER * panel * s.vectors
                arguments = (
                    count, s.depth, s.offsets, weights, base + size * (panel - begin),
                    s.vector_starts + of_panel, row_bias, row_slope, s.limit,
                    added + place if added else 0, top + place, area, masks + of_panel,
                )  # fmt: skip
                _call_tile(s.narrow_tile if narrow else s.tile, arguments)


def _filter_images(pointer, part, parts):
    """One thread's part of a convolution.

    phases, pitch, plane, starts: of the layout, which `band` output rows at a time are laid out in, in the thread's
    scratch (scratch 0: the image is its own layout). panels: rows of vectors of a band's outputs; vector_starts: where
    in the band each vector begins; masks: which of its columns count; places: which output of the band each row begins
    with; last_panels and last_masks: of the last band. depth: numbers of a filter; offsets: of each, in the layout.
    filters: packed for tiles of `rows`. tile: has `vectors`; narrow_tile: has one, or 0 where there is none. splits:
    parts that the filters are cut into. bias, slope, limit, added: see `filter_tile`; bias and slope can be read for
    one tile's rows beyond the last.
    """
    s = step_at(pointer)
    bands = -(-s.out_height // s.band)
    panels = -(-s.outputs // s.rows)
    area, pixels = s.out_height * s.out_width, s.height * s.width
    for job in range(part, s.images * s.groups * bands * s.splits, parts):
        rest, split = divmod(job, s.splits)
        rest, band = divmod(rest, bands)
        n, group = divmod(rest, s.groups)
        first = band * s.band
        rows = min(s.band, s.out_height - first)
        whole = rows == s.band
        bottom = s.bottom + FLOAT * (n * s.groups + group) * s.channels * pixels
        base, pixels_of_panels = s.scratch + FLOAT * part * s.scratch_size, 0
        if s.scratch and s.phases:
            lay_out_phases(s, bottom, integers(s.starts, 2 * s.phases), first, rows, base)
        elif s.scratch:
            pixels_of_panels = bottom + FLOAT * first * s.width
        else:
            base = bottom + FLOAT * first * s.pitch
        place = FLOAT * ((n * s.groups + group) * s.outputs * area + first * s.out_width)
        _filter_band(
            s, group, base, pixels_of_panels, s.panels if whole else s.last_panels,
            panels * split // s.splits, panels * (split + 1) // s.splits,
            s.added + place if s.added else 0, s.top + place, s.masks if whole else s.last_masks,
        )  # fmt: skip


filter_images = Callee(SIGNATURE, _filter_images)
