"""A plane that one filter of 3 x 3 is moved over: what is emitted for it, whatever its order is.

A tap meets LANES outputs of a row at a time, and reads the pixels that they see where the plane has them; what lies
outside of it is set to zero then. To lay the plane out would take as long as the products.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from caffe_compat.layers.kernels.bent import emit_bent
from caffe_compat.layers.kernels.micro_kernel import LANES, Vectors

SIDE = 3  # of a filter
_BLOCKS = range(0, LANES, 4)  # vectors are shuffled within 4 numbers, which is faster than over all of them
# the outputs that the lanes stand for, where pixels are every second one of two vectors, and where they are found
_OUTPUTS = [block // 2 + half * LANES // 2 + k for block in _BLOCKS for half in (0, 1) for k in (0, 1)]
_PLACES = [_OUTPUTS.index(lane) for lane in range(LANES)]


class Plane:
    """Its values are those of `filtering`. With stride 2, sums stand for _OUTPUTS until `finish`."""

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
        """Emit the loops over outputs."""
        raise NotImplementedError

    def chunks(self) -> ir.Value:
        """How many vectors a row of outputs takes."""
        word = ir.IntType(64)
        return self.builder.sdiv(self.builder.add(self.columns, word(LANES - 1)), word(LANES))

    def pixels(self, at: ir.Value) -> ir.Value:
        """A row of the plane, or zeros."""
        builder = self.builder
        row = builder.gep(self.plane, [builder.mul(at, self.width)])
        return builder.select(builder.icmp_unsigned("<", at, self.height), row, self.zeros)

    def masks(self, column: ir.Value) -> list[ir.Value]:
        """Which of the pixels that the outputs meet by each tap of a row of the filter lie inside, from `column` on."""
        lanes = range(LANES) if self.stride == 1 else [2 * lane for lane in _OUTPUTS]
        return [
            self.vectors.inside(self.builder.add(column, ir.IntType(64)(tap)), self.width, lanes)
            for tap in range(SIDE)
        ]

    def taps(self, row: ir.Value, column: ir.Value, masks: list[ir.Value] | None) -> list[ir.Value]:
        """These pixels of a row; without masks all of them lie inside."""
        seen = self._every_pixel(row, column) if self.stride == 1 else self._every_second(row, column)
        if masks is None:
            return seen
        zero = self.vectors.zero
        return [self.builder.select(mask, x, zero) for mask, x in zip(masks, seen, strict=True)]

    def _every_pixel(self, row: ir.Value, column: ir.Value) -> list[ir.Value]:
        return [self._read(row, column, tap) for tap in range(SIDE)]

    def _every_second(self, row: ir.Value, column: ir.Value) -> list[ir.Value]:
        low, high, next_low, next_high = (
            self._read(row, column, begin) for begin in (0, LANES, 2, LANES + 2)
        )

        def pick(x: ir.Value, y: ir.Value, first: int) -> ir.Value:
            kind = ir.VectorType(ir.IntType(32), LANES)
            places = [b + first + of + k for b in _BLOCKS for of in (0, LANES) for k in (0, 2)]
            return self.builder.shuffle_vector(x, y, ir.Constant(kind, places))

        return [pick(low, high, 0), pick(low, high, 1), pick(next_low, next_high, 0)]

    def _read(self, row: ir.Value, column: ir.Value, begin: int) -> ir.Value:
        return self.vectors.read(row, self.builder.add(column, ir.IntType(64)(begin)))

    def plus(self, total: ir.Value, weights: list[ir.Value], taps: list[ir.Value]) -> ir.Value:
        """A sum and the products of a row of the filter."""
        for weight, tap in zip(weights, taps, strict=True):
            total = self.vectors.plus_product(total, weight, tap)
        return total

    def finish(self, total: ir.Value, row: ir.Value, begin: ir.Value) -> None:
        """Make the outputs of a row, from number `begin` on, of their sums. Those of later rows may be written too,
        none behind the last; there a mask is slow."""
        builder, v = self.builder, self.vectors
        if self.stride == 2:
            places = ir.Constant(ir.VectorType(ir.IntType(32), LANES), _PLACES)
            total = builder.shuffle_vector(total, total, places)
        result = emit_bent(v, builder.fadd(total, self.bias), self.slope, self.limit)
        place = builder.add(builder.mul(row, self.columns), begin)
        fits = builder.icmp_signed("<=", builder.add(place, ir.IntType(64)(LANES)), self.count)
        with builder.if_else(fits, likely=True) as (then, otherwise):
            with then:
                v.write(result, self.out, place)
            with otherwise:
                v.write_some(result, self.out, place, v.inside(begin, self.columns))


def filtering(order: type[Plane]) -> Any:
    """What compiled code calls for a plane, with loops in an order: function(stride, plane, zeros, height, width, row,
    column, filters, bias, slope, limit, rows, columns, count, out).

    out (rows x columns) = f(filter * plane + bias), with f as bent.py has it; of the `count` numbers from there on
    those behind it may be written too. zeros: what is read for rows outside of the plane; (row, column): the pixel
    that the first tap of the first output meets. plane, zeros, filters, out: addresses; numbers before and behind each
    row are read. stride: 1 or 2, which the compiler knows.
    """

    def emit(
        typingctx, stride, plane, zeros, height, width, row, column, filters, bias, slope, limit, rows, columns,
        count, out,
    ):  # fmt: skip
        """Emit the loops over outputs (numba hands over types here, and LLVM values to `codegen`)."""
        i64, f32 = types.int64, types.float32

        def codegen(context, builder, signature, args):
            order(builder, stride.literal_value, args[1:]).emit()
            return context.get_dummy_value()

        return types.void(stride, *[i64] * 7, f32, f32, f32, *[i64] * 4), codegen

    return intrinsic(prefer_literal=True)(emit)
