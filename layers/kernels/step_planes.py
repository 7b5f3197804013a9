"""What the step of a convolution computes whose channels have one filter of 3 x 3 each.

A tap meets LANES outputs of a row at a time, and reads the pixels that they see where the plane has them; what lies
outside of it is set to zero then. To lay the plane out would take as long as the products. The last vector of a row may
be written over the begin of the next rows, which are written later: columns of vectors go from the right to the left,
and each from the top down. Only at the end of the plane a mask does that, which is slow.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT, floats, integers
from caffe_compat.layers.kernels.bent import emit_bent
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.micro_kernel import LANES, Vectors
from caffe_compat.layers.kernels.step import SIGNATURE, step_at

SIDE = 3  # of a filter
LINE = 64  # bytes of a cache's line
NEAR = 2**12  # numbers of a plane (16 kB) that stay in a core's first cache
_BLOCKS = range(0, LANES, 4)  # vectors are shuffled within 4 numbers, which is faster than over all of them
# the outputs that the lanes stand for, where pixels are every second one of two vectors, and where they are found
_OUTPUTS = [block // 2 + half * LANES // 2 + k for block in _BLOCKS for half in (0, 1) for k in (0, 1)]
_PLACES = [_OUTPUTS.index(lane) for lane in range(LANES)]


class _Row:
    """The pixels of a plane's rows that LANES outputs meet, from `column` on, by each tap of a row of a filter.

    With stride 2 they stand for _OUTPUTS.
    """

    def __init__(self, vectors: Vectors, stride: int, column: ir.Value, width: ir.Value):
        self._vectors, self._stride, self._column = vectors, stride, column
        lanes = range(LANES) if stride == 1 else [2 * lane for lane in _OUTPUTS]
        self._inside = [
            vectors.inside(vectors.builder.add(column, ir.IntType(64)(tap)), width, lanes)
            for tap in range(SIDE)
        ]

    def taps(self, row: ir.Value) -> list[ir.Value]:
        """The vectors of the taps."""
        v = self._vectors
        seen = [self._read(row, tap) for tap in range(SIDE)] if self._stride == 1 else self._every_second(row)
        return [v.builder.select(mask, x, v.zero) for mask, x in zip(self._inside, seen, strict=True)]

    def _read(self, row: ir.Value, begin: int) -> ir.Value:
        return self._vectors.read(row, self._vectors.builder.add(self._column, ir.IntType(64)(begin)))

    def _every_second(self, row: ir.Value) -> list[ir.Value]:
        low, high, next_low, next_high = (self._read(row, begin) for begin in (0, LANES, 2, LANES + 2))

        def pick(x: ir.Value, y: ir.Value, first: int) -> ir.Value:
            kind = ir.VectorType(ir.IntType(32), LANES)
            places = [b + first + of + k for b in _BLOCKS for of in (0, LANES) for k in (0, 2)]
            return self._vectors.builder.shuffle_vector(x, y, ir.Constant(kind, places))

        return [pick(low, high, 0), pick(low, high, 1), pick(next_low, next_high, 0)]


class _Plane:
    """What is emitted for a plane: its values are those of the intrinsics below."""

    def __init__(self, builder: ir.IRBuilder, stride: int, args):
        plane, zeros, height, width, row, column, filters, bias, slope, limit, rows, columns, count, out = (
            args
        )
        self.builder, self.stride, self.vectors = builder, stride, Vectors(builder)
        v, word = self.vectors, ir.IntType(64)
        self.plane, self.zeros, self.out = v.pointer(plane), v.pointer(zeros), v.pointer(out)
        self.height, self.width, self.row, self.column = height, width, row, column
        self.rows, self.columns, self.count = rows, columns, count
        self.bias, self.slope, self.limit = v.spread(bias), v.spread(slope), v.spread(limit)
        numbers = v.pointer(filters)
        self.weights = [
            [v.spread(builder.load(builder.gep(numbers, [word(SIDE * i + j)]))) for j in range(SIDE)]
            for i in range(SIDE)
        ]

    def emit(self) -> None:
        builder, word = self.builder, ir.IntType(64)
        chunks = builder.sdiv(builder.add(self.columns, word(LANES - 1)), word(LANES))
        with cgutils.for_range(builder, chunks) as chunk:
            begin = builder.mul(builder.sub(builder.sub(chunks, word(1)), chunk.index), word(LANES))
            first = builder.add(self.column, builder.mul(begin, word(self.stride)))
            seen = _Row(self.vectors, self.stride, first, self.width)
            (self._by_one if self.stride == 1 else self._by_two)(seen, begin)

    def _by_one(self, seen: _Row, begin: ir.Value) -> None:
        """A row of pixels ends the sums of one row of outputs, goes on with those of the next, and begins others."""
        builder, v, word = self.builder, self.vectors, ir.IntType(64)
        second, third = (cgutils.alloca_once_value(builder, v.zero) for _ in range(2))
        with cgutils.for_range(builder, builder.add(self.rows, word(SIDE - 1))) as line:
            taps = seen.taps(self._pixels(builder.add(self.row, line.index)))
            total = self._plus(builder.load(third), self.weights[2], taps)
            builder.store(self._plus(builder.load(second), self.weights[1], taps), third)
            builder.store(self._plus(v.zero, self.weights[0], taps), second)
            out = builder.sub(line.index, word(SIDE - 1))
            with builder.if_then(builder.icmp_signed(">=", out, word(0))):
                self._finish(total, out, begin)

    def _by_two(self, seen: _Row, begin: ir.Value) -> None:
        """Two rows of pixels end the sums of one row of outputs, and the second one begins those of the next."""
        builder, v, word = self.builder, self.vectors, ir.IntType(64)
        first = self._plus(v.zero, self.weights[0], seen.taps(self._pixels(self.row)))
        begun = cgutils.alloca_once(builder, v.kind)
        builder.store(first, begun)
        with cgutils.for_range(builder, self.rows) as line:
            middle = builder.add(self.row, builder.add(builder.mul(line.index, word(2)), word(1)))
            total = self._plus(builder.load(begun), self.weights[1], seen.taps(self._pixels(middle)))
            taps = seen.taps(self._pixels(builder.add(middle, word(1))))
            total = self._plus(total, self.weights[2], taps)
            builder.store(self._plus(v.zero, self.weights[0], taps), begun)
            places = ir.Constant(ir.VectorType(ir.IntType(32), LANES), _PLACES)
            self._finish(builder.shuffle_vector(total, total, places), line.index, begin)

    def _pixels(self, at: ir.Value) -> ir.Value:
        """A row of the plane, or zeros."""
        builder = self.builder
        row = builder.gep(self.plane, [builder.mul(at, self.width)])
        return builder.select(builder.icmp_unsigned("<", at, self.height), row, self.zeros)

    def _plus(self, total: ir.Value, weights: list[ir.Value], taps: list[ir.Value]) -> ir.Value:
        for weight, tap in zip(weights, taps, strict=True):
            total = self.vectors.plus_product(total, weight, tap)
        return total

    def _finish(self, total: ir.Value, row: ir.Value, begin: ir.Value) -> None:
        builder, v = self.builder, self.vectors
        result = emit_bent(v, builder.fadd(total, self.bias), self.slope, self.limit)
        place = builder.add(builder.mul(row, self.columns), begin)
        fits = builder.icmp_signed("<=", builder.add(place, ir.IntType(64)(LANES)), self.count)
        with builder.if_else(fits, likely=True) as (then, otherwise):
            with then:
                v.write(result, self.out, place)
            with otherwise:
                v.write_some(result, self.out, place, v.inside(begin, self.columns))


def _of_stride(stride: int) -> Any:
    def emit(
        typingctx,
        plane,
        zeros,
        height,
        width,
        row,
        column,
        filters,
        bias,
        slope,
        limit,
        rows,
        columns,
        count,
        out,
    ):
        """Emit the loops over outputs (numba hands over types here, and LLVM values to `codegen`)."""
        i64, f32 = types.int64, types.float32

        def codegen(context, builder, signature, args):
            _Plane(builder, stride, args).emit()
            return context.get_dummy_value()

        return types.void(*[i64] * 7, f32, f32, f32, i64, i64, i64, i64), codegen

    return intrinsic(emit)


# filter_by_one(plane, zeros, height, width, row, column, filters, bias, slope, limit, rows, columns, count, out), and
# by_two: out (rows x columns) = f(filter * plane + bias), with f as bent.py has it; of the `count` numbers from there
# on those behind it may be written too. zeros: what is read for rows outside of the plane; (row, column): the pixel
# that the first tap of the first output meets. plane, zeros, filters, out: addresses; numbers before and behind each
# row are read
_filter_by_one, _filter_by_two = _of_stride(1), _of_stride(2)


def _emit_fetch(typingctx, first, last):
    """Emit the loop over lines of the cache (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        first, last = args
        word, byte, i32 = ir.IntType(64), ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        lines = builder.sdiv(builder.sub(last, first), word(LINE))
        with cgutils.for_range(builder, lines) as loop:
            place = builder.add(first, builder.mul(loop.index, word(LINE)))
            builder.call(prefetch, [builder.inttoptr(place, byte), i32(0), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


# fetch(first, last): let a core's first cache have what lies between two addresses, in the order that memory likes
_fetch: Any = intrinsic(_emit_fetch)


def _filter_planes(pointer, part, parts):
    """top = f(filters * bottom + bias), of images x groups planes; starts: row and column of the first pixel."""
    s = step_at(pointer)
    planes, zeros = s.images * s.groups, s.scratch + FLOAT * part * s.scratch_size
    floats(zeros, s.scratch_size)[:] = 0
    zeros += LINE  # as much before a row is read as `pad` has
    bias, slope, starts = floats(s.bias, s.groups), floats(s.slope, s.groups), integers(s.starts, 2)
    area, band = s.out_height * s.out_width, NEAR // (s.stride_h * s.width) + SIDE
    is_large = s.height * s.width > 4 * NEAR
    for plane in range(planes * part // parts, planes * (part + 1) // parts):
        c = plane % s.groups
        source, filters = s.bottom + FLOAT * plane * s.height * s.width, s.filters + FLOAT * c * SIDE * SIDE
        for first in range(0, s.out_height, band):
            rows, place = min(band, s.out_height - first), first * s.out_width
            row, out = starts[0] + first * s.stride_h, s.top + FLOAT * (plane * area + place)
            if is_large:
                last = min(row + rows * s.stride_h + SIDE - 1, s.height)
                _fetch(source + FLOAT * s.width * max(row, 0), source + FLOAT * s.width * last)
            if s.stride_h == 1:
                _filter_by_one(
                    source, zeros, s.height, s.width, row, starts[1], filters, bias[c], slope[c], s.limit,
                    rows, s.out_width, area - place, out,
                )  # fmt: skip
            else:
                _filter_by_two(
                    source, zeros, s.height, s.width, row, starts[1], filters, bias[c], slope[c], s.limit,
                    rows, s.out_width, area - place, out,
                )  # fmt: skip


filter_planes = Callee(SIGNATURE, _filter_planes)
