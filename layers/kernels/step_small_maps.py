"""Convolution of small maps: the rows of a tile are outputs of a map, its columns filters.

In a row of vectors of outputs (see filter_images.py) those of 7 x 7 would leave a quarter empty; here a tile has some
rows of a map, whatever their width, and all of its vectors are full of filters. Filters are read in blocks, each for as
many maps as have their sums in a cache.
"""

from __future__ import annotations

from numba import njit

from caffe_compat.layers.kernels.addresses import FLOAT, INTEGER, integers
from caffe_compat.layers.kernels.calls import Callee, caller
from caffe_compat.layers.kernels.lay_out import lay_out_phase
from caffe_compat.layers.kernels.shared import share_of
from caffe_compat.layers.kernels.step import SIGNATURE, step_at
from caffe_compat.layers.kernels.step_channels import row_of_channel
from caffe_compat.layers.kernels.sum_tile import ASKING_TILE, WIDTH
from caffe_compat.layers.kernels.transpose import turn
from caffe_compat.layers.kernels.vectors import LANES

BLOCK = 256  # products of a sum, whose filters have 32 kB
_call_tile = caller(ASKING_TILE)


def _lay_out_maps(pointer, part, parts):
    """shared (images x phases x channels, plane_step apart) = the maps, laid out as filter_images.py says."""
    s = step_at(pointer)
    starts = integers(s.starts, 2 * s.phases)
    for plane in range(*share_of(s.images * s.channels, part, parts)):
        n, c = divmod(plane, s.channels)
        for p in range(s.phases):
            to = s.shared + FLOAT * ((n * s.phases + p) * s.channels + c) * s.plane_step
            source = s.bottom + FLOAT * plane * s.height * s.width
            lay_out_phase(s, source, starts[2 * p :], 0, s.plane // s.pitch, to)


@njit(error_model="numpy", inline="always")
def _sum(s, maps, images, filters, stage):
    """stage (images x area x WIDTH) = the sums of all outputs of some maps for a panel of filters.

    While a block of them is read, each tile asks for its part of the next one.
    """
    area, tiles = s.out_height * s.out_width, images * -(-s.out_height // s.rows)
    ahead_step = max(1, WIDTH // tiles)
    for first in range(0, s.depth, BLOCK):
        depth, tile = min(BLOCK, s.depth - first), 0
        for n in range(images):
            for row in range(0, s.out_height, s.rows):
                ahead = FLOAT * (first + BLOCK) * WIDTH + FLOAT * min(tile, WIDTH) * BLOCK * ahead_step
                arguments = (
                    depth, s.offsets + INTEGER * first, maps + FLOAT * (n * s.depth_step + row * s.pitch), s.pitch,
                    filters + FLOAT * first * WIDTH, stage + FLOAT * (n * area + row * s.out_width) * WIDTH,
                    WIDTH, first, filters + ahead, ahead_step,
                )  # fmt: skip
                _call_tile(s.tile if row + s.rows <= s.out_height else s.narrow_tile, arguments)
                tile += 1


@njit(error_model="numpy", inline="always")
def _finish(s, n, panel, sums, planes):
    """The outputs of image n and a panel of filters from their sums, by way of as many planes."""
    area, pitch, first = s.out_height * s.out_width, s.out_height * s.out_width + LANES, panel * WIDTH
    turn(sums, WIDTH, area, WIDTH, planes, pitch)
    for m in range(min(WIDTH, s.outputs - first)):
        place, channel = FLOAT * (n * s.outputs + first + m) * area, FLOAT * (first + m)
        added = s.added + place if s.added else 0
        row_of_channel(
            planes + FLOAT * m * pitch, added, s.top + place, area,
            s.units, s.bias + channel, s.slope + channel, s.limit,
        )  # fmt: skip


def _filter_maps(pointer, part, parts):
    """The outputs of all maps, `band` images at a time, and of these the sums of `together`.

    filters: packed panels x depth x WIDTH. offsets: how far behind an output's place each number of a filter finds its
    pixel, in maps depth_step apart, whose rows are pitch apart, in `shared`, or, without phases, as they are. tile: for
    `rows` rows of outputs; narrow_tile: for those that are left. units: a 1. scratch: see `scratch_of`.
    """
    s = step_at(pointer)
    stage, base = s.scratch + FLOAT * part * s.scratch_size, s.shared if s.phases else s.bottom
    step = s.out_height * s.out_width * WIDTH
    planes = stage + FLOAT * (s.together * step + LANES * WIDTH)
    low, high = share_of(-(-s.outputs // WIDTH), part, parts)
    for begin in range(0, s.images, s.band):
        end = min(begin + s.band, s.images)
        for panel in range(low, high):
            filters = s.filters + FLOAT * panel * s.depth * WIDTH
            for first in range(begin, end, s.together):
                images = min(s.together, end - first)
                _sum(s, base + FLOAT * first * s.depth_step, images, filters, stage)
                for n in range(images):
                    _finish(s, first + n, panel, stage + FLOAT * n * step, planes)


def scratch_of(together: int, area: int) -> int:
    """How many numbers a thread needs: sums of `together` images, and planes of one, each with what a square may touch
    beyond."""
    return (together * area + LANES) * WIDTH + WIDTH * (area + LANES)


lay_out_maps, filter_maps = Callee(SIGNATURE, _lay_out_maps), Callee(SIGNATURE, _filter_maps)
