"""Laying out a plane of pixels for windows that stride over it: one phase of it, every stride-th row and column.

What a tap of a window meets, as it strides from output to output, lies one behind the other in a phase. Emitted as
vectors with masks, since maps may be a few pixels wide.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT, floats
from caffe_compat.layers.kernels.calls import Callee, caller
from caffe_compat.layers.kernels.vectors import LANES, Vectors

BY_VECTORS = (1, 2, 4)  # strides of pixels that are laid out by vectors


def read_pixels(vectors: Vectors, row, column, width, stride: int, fill) -> ir.Value:
    """LANES pixels of a row, stride (a power of two) apart, from `column` on; `fill` for those outside of it, where it
    has a width."""
    if stride == 1:
        mask = None if width is None else vectors.inside(column, width)
        return vectors.read(row, column, mask, fill)
    half = stride // 2
    after = vectors.builder.add(column, ir.IntType(64)(LANES * half))
    return vectors.every_second(
        read_pixels(vectors, row, column, width, half, fill),
        read_pixels(vectors, row, after, width, half, fill),
    )


def _emit(typingctx, stride, source, height, width, row, column, stride_h, rows, pitch, fill, out):
    """Emit the loop over rows (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        _, source, height, width, row, column, stride_h, rows, pitch, fill, out = args
        vectors, word, step = Vectors(builder), ir.IntType(64), stride.literal_value
        source, out, fill = vectors.pointer(source), vectors.pointer(out), vectors.spread(fill)
        chunks = builder.sdiv(builder.add(pitch, word(LANES - 1)), word(LANES))
        with cgutils.for_range(builder, rows) as line:
            at = builder.add(row, builder.mul(line.index, stride_h))
            inside = builder.icmp_unsigned("<", at, height)
            pixels = builder.gep(source, [builder.mul(at, width)])
            length, to = builder.select(inside, width, word(0)), builder.mul(line.index, pitch)
            with cgutils.for_range(builder, chunks) as chunk:
                first = builder.mul(chunk.index, word(LANES))
                place = builder.add(column, builder.mul(first, word(step)))
                behind = builder.add(place, word(step * LANES))

                def lay(width: ir.Value | None) -> None:
                    value = read_pixels(vectors, pixels, place, width, step, fill)
                    vectors.write(value, out, builder.add(to, first))

                is_whole = builder.and_(
                    builder.icmp_signed(">=", place, word(0)), builder.icmp_signed("<=", behind, length)
                )
                with builder.if_else(is_whole, likely=True) as (then, otherwise):
                    with then:
                        lay(None)
                    with otherwise:
                        lay(length)
        return context.get_dummy_value()

    return types.void(stride, *LAY_OUT.args), codegen


# source, height, width, row, column, stride_h, rows, pitch, fill, out; before them by_vectors has the stride, 1, 2 or 4
LAY_OUT = types.void(*[types.int64] * 8, types.float32, types.int64)
by_vectors: Any = intrinsic(prefer_literal=True)(_emit)


@njit(error_model="numpy", inline="always")
def _by_any(source, height, width, row, column, stride_h, stride_w, rows, pitch, fill, out):
    plane, to = floats(source, height * width), floats(out, rows * pitch)
    for y in range(rows):
        h = row + y * stride_h
        for x in range(pitch):
            w = column + x * stride_w
            inside = 0 <= h < height and 0 <= w < width
            to[y * pitch + x] = plane[h * width + w] if inside else fill


@cache
def lay_out(stride: int) -> Callee:
    """The function for pixels that lie `stride` apart in a row.

    out (rows x pitch) = the pixels of a plane (height x width) from (row, column) on, stride_h and stride apart. `fill`
    stands for those outside of it. source, out: addresses. Up to LANES - 1 numbers behind the last row are written too.
    """
    if stride in BY_VECTORS:

        def rows_of_pixels(source, height, width, row, column, stride_h, rows, pitch, fill, out):
            by_vectors(stride, source, height, width, row, column, stride_h, rows, pitch, fill, out)
    else:

        def rows_of_pixels(source, height, width, row, column, stride_h, rows, pitch, fill, out):
            _by_any(source, height, width, row, column, stride_h, stride, rows, pitch, fill, out)

    return Callee(LAY_OUT, rows_of_pixels)


call_lay_out = caller(LAY_OUT)


@njit(error_model="numpy", inline="always")
def lay_out_phase(s, source, place, first, rows, out):
    """out (rows x pitch) = a phase of a plane, which begins with what output row `first` sees.

    s: a STEP; place (int64, 2): row and column of the pixel that the first output of all meets; source, out: addresses.
    """
    arguments = (
        source, s.height, s.width, place[0] + first * s.stride_h, place[1], s.stride_h, rows, s.pitch,
        np.float32(0), out,
    )  # fmt: skip
    call_lay_out(s.lay_out, arguments)


@njit(error_model="numpy", inline="always")
def lay_out_phases(s, bottom, starts, first, rows, out):
    """out (phases x channels x plane) = what the output rows from `first` on see of the channels of an image.

    s: a STEP; starts (int64, 2 a phase): row and column of the pixel that the first output meets in each phase; bottom,
    out: addresses.
    """
    taken = rows + s.plane // s.pitch - s.band  # rows of a plane that is made for `band` of the output
    for p in range(s.phases):
        for c in range(s.channels):
            source = bottom + FLOAT * c * s.height * s.width
            to = out + FLOAT * (p * s.channels + c) * s.plane
            lay_out_phase(s, source, starts[2 * p :], first, taken, to)
