"""Winograd's convolution of images for filters that were transformed before: see winograd.py for the algorithm.

An image is laid out by phases of stride 4 (see lay_out.py), 4 of rows and one for each column of a tile, where each of
a tile's 6 x 6 pixels lies at one distance from all tiles, and tiles lie one behind the other; so vectors of tiles are
transformed without gathering them. A band of tiles is done at a time: first all its tiles are transformed, then they
are multiplied and made outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels import winograd_transforms
from caffe_compat.layers.kernels.addresses import FLOAT, INTEGER, floats, integers
from caffe_compat.layers.kernels.bent import emit_bent
from caffe_compat.layers.kernels.calls import Callee, caller
from caffe_compat.layers.kernels.filter_tile import TILE
from caffe_compat.layers.kernels.lay_out import lay_out_phase
from caffe_compat.layers.kernels.micro_kernel import COLUMNS, VECTORS
from caffe_compat.layers.kernels.step import SIGNATURE, step_at
from caffe_compat.layers.kernels.vectors import LANES, Vectors
from caffe_compat.layers.kernels.winograd_transforms import OUTPUTS, PIXELS, POINTS

LAID_OUT, PLANES = OUTPUTS * PIXELS, OUTPUTS**2  # planes of what is read, and of what is written
_call_tile = caller(TILE)


def _transform_tiles(pointer, part, parts):
    """shared (36 x images * panels x channels x COLUMNS, points `plane_step` apart) = the transformed tiles of a band.

    The layout is that of `band` rows of tiles from row `first` on; vectors: what their tiles fill.
    """
    s = step_at(pointer)
    scratch, starts = s.scratch + FLOAT * part * s.scratch_size, integers(s.starts, 2 * LAID_OUT)
    for n in range(s.images):
        for c in range(s.channels * part // parts, s.channels * (part + 1) // parts):
            source = s.bottom + FLOAT * (n * s.channels + c) * s.height * s.width
            for p in range(LAID_OUT):
                to = scratch + FLOAT * p * s.plane
                lay_out_phase(s, source, starts[2 * p :], s.first, s.plane // s.pitch, to)
            for panel in range(s.panels):
                to = s.shared + FLOAT * ((n * s.panels + panel) * s.channels + c) * COLUMNS
                vectors = min(VECTORS, s.vectors - panel * VECTORS)
                tiles = scratch + FLOAT * panel * COLUMNS
                winograd_transforms.of_layout(tiles, s.offsets, vectors, to, s.plane_step)


def _emit_row(typingctx, planes, step, width, bias, slope, limit, added, out):
    """Emit the loop over a row (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        planes, step, width, bias, slope, limit, added, out = args
        v, word = Vectors(builder), ir.IntType(64)
        planes, out = v.pointer(planes), v.pointer(out)
        bias, slope, limit = v.spread(bias), v.spread(slope), v.spread(limit)
        is_added, added = builder.icmp_unsigned("!=", added, word(0)), v.pointer(added)
        pixels = OUTPUTS * LANES
        count = builder.sdiv(builder.add(width, word(pixels - 1)), word(pixels))
        with cgutils.for_range(builder, count) as loop:
            begin = builder.mul(loop.index, word(LANES))
            of_columns = [
                v.read(planes, builder.add(begin, builder.mul(step, word(j)))) for j in range(OUTPUTS)
            ]
            for k, value in enumerate(v.interleaved(of_columns)):
                place = builder.add(builder.mul(loop.index, word(pixels)), word(k * LANES))
                mask = v.inside(place, width)
                with builder.if_else(is_added) as (then, otherwise):
                    with then:
                        more = v.read(added, place, mask)
                        first = builder.block
                    with otherwise:
                        second = builder.block
                other = builder.phi(v.kind)
                other.add_incoming(more, first)
                other.add_incoming(v.zero, second)
                total = builder.fadd(builder.fadd(value, bias), other)
                v.write(emit_bent(v, total, slope, limit), out, place, mask)
        return context.get_dummy_value()

    i64, f32 = types.int64, types.float32
    return types.void(i64, i64, i64, f32, f32, f32, i64, i64), codegen


# write_row(planes, step, width, bias, slope, limit, added, out): a row of outputs; columns 4 x + j are number x of
# plane j, and planes are `step` apart. out = f(value + bias + added), f that of bent.py
_write_row: Any = intrinsic(_emit_row)


@njit(error_model="numpy", inline="always")
def _write_filter(s, n, m, planes, step):
    """Write a band's outputs of filter m, from 16 planes of tiles."""
    bias, slope = floats(s.bias, s.outputs)[m], floats(s.slope, s.outputs)[m]
    for row in range(min(OUTPUTS * s.band, s.out_height - OUTPUTS * s.first)):
        tiles, i = divmod(row, OUTPUTS)
        place = FLOAT * (((n * s.outputs + m) * s.out_height + OUTPUTS * s.first + row) * s.out_width)
        source = planes + FLOAT * (OUTPUTS * i * step + tiles * s.tile_columns)
        added = s.added + place if s.added else 0
        _write_row(source, step, s.out_width, bias, slope, s.limit, added, s.top + place)


def _filter_transformed(pointer, part, parts):
    """The outputs of a band: filters (packed panels x 36 x channels x rows) times the transformed tiles in `shared`.

    distances (int64, channels): COLUMNS apart; whole (int64): where the vectors of a panel begin, and masks of all of
    their lanes; units: `rows` zeros, and as many ones. tile, narrow_tile: for all vectors of a panel, and for one.
    """
    s = step_at(pointer)
    panels, columns = -(-s.outputs // s.rows), s.rows * COLUMNS
    low, high = panels * part // parts, panels * (part + 1) // parts
    products = s.scratch + FLOAT * part * s.scratch_size
    planes, step = products + FLOAT * POINTS * columns, s.depth_step
    for n in range(s.images):
        for column in range(s.panels):
            tile = s.narrow_tile if s.vectors - column * VECTORS == 1 else s.tile
            right = s.shared + FLOAT * (n * s.panels + column) * s.channels * COLUMNS
            for panel in range(low, high):
                count = min(s.rows, s.outputs - panel * s.rows)
                for point in range(POINTS):
                    left = s.filters + FLOAT * (panel * POINTS + point) * s.channels * s.rows
                    to = products + FLOAT * point * columns
                    arguments = (
                        s.rows, s.channels, s.distances, left, right + FLOAT * point * s.plane_step, s.whole,
                        s.units, s.units + FLOAT * s.rows, np.float32(np.inf), 0, to, COLUMNS,
                        s.whole + INTEGER * VECTORS, 1, 0, 0, s.distances,  # one panel, at 0
                    )  # fmt: skip
                    _call_tile(tile, arguments)
                for r in range(count):
                    out = planes + FLOAT * (((panel - low) * s.rows + r) * PLANES * step + column * COLUMNS)
                    winograd_transforms.to_outputs(products + FLOAT * r * COLUMNS, columns, out, step, LANES)
        for m in range(low * s.rows, min(high * s.rows, s.outputs)):
            _write_filter(s, n, m, planes + FLOAT * (m - low * s.rows) * PLANES * step, step)


transform_tiles, filter_transformed = (
    Callee(SIGNATURE, _transform_tiles),
    Callee(SIGNATURE, _filter_transformed),
)
