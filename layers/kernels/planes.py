"""A plane that small square windows are moved over: what is emitted for it, whatever its order is.

A tap of a window meets LANES outputs of a row at a time, and reads the pixels that they see where the plane has them;
what lies outside of it is replaced then. To lay the plane out would take as long as the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from llvmlite import ir

from caffe_compat.layers.kernels.addresses import FLOAT
from caffe_compat.layers.kernels.scratch import LINE
from caffe_compat.layers.kernels.vectors import LANES, Vectors

BEFORE = LINE // FLOAT  # numbers before each row that may be read: as much as a pad may have
AROUND = 2 * (BEFORE + LANES)  # numbers that a row of what lies outside has more than one of the plane
_BLOCKS = range(0, LANES, 4)  # vectors are shuffled within 4 numbers, which is faster than over all of them
# the outputs that the lanes stand for, where pixels are every second one of two vectors, and where they are found
_OUTPUTS = [block // 2 + half * LANES // 2 + k for block in _BLOCKS for half in (0, 1) for k in (0, 1)]
_PLACES = [_OUTPUTS.index(lane) for lane in range(LANES)]


class Plane(ABC):
    """A plane (height x width) and the outputs (rows x columns) of windows of `side` x `side` pixels on it.

    outside: what is read for rows outside of the plane, as long as one of them and AROUND, from number BEFORE on; (row,
    column): the pixel that the first tap of the first output meets; of the `count` numbers from the first output on
    those behind the others may be written too. plane, outside, out: addresses; numbers before and behind each row are
    read. With stride 2, lanes stand for _OUTPUTS until they are written.
    """

    fill = 0.0  # what pixels outside of the plane are

    def __init__(self, builder: ir.IRBuilder, side: int, stride: int, pixels, outputs):
        self.builder, self.side, self.stride, self.vectors = builder, side, stride, Vectors(builder)
        v = self.vectors
        plane, outside, self.height, self.width, self.row, self.column = pixels
        self.rows, self.columns, self.count, out = outputs
        self.plane, self.outside, self.out = v.pointer(plane), v.pointer(outside), v.pointer(out)

    @abstractmethod
    def begin(self) -> ir.Value:
        """What an output is before it meets a pixel."""

    @abstractmethod
    def meet(self, total: ir.Value, line: int, taps: list[ir.Value]) -> ir.Value:
        """An output that meets the pixels of a row of its window, row number `line`."""

    @abstractmethod
    def result(self, total: ir.Value, place: ir.Value) -> ir.Value:
        """What is written from number `place` on."""

    def chunks(self) -> ir.Value:
        """How many vectors a row of outputs takes."""
        word = ir.IntType(64)
        return self.builder.sdiv(self.builder.add(self.columns, word(LANES - 1)), word(LANES))

    def pixels(self, at: ir.Value) -> ir.Value:
        """A row of the plane, or what stands for it."""
        builder = self.builder
        row = builder.gep(self.plane, [builder.mul(at, self.width)])
        return builder.select(builder.icmp_unsigned("<", at, self.height), row, self.outside)

    def masks(self, column: ir.Value) -> list[ir.Value]:
        """Which of the pixels that the outputs meet by each tap of a row lie inside, from `column` on."""
        lanes = range(LANES) if self.stride == 1 else [2 * lane for lane in _OUTPUTS]
        return [
            self.vectors.inside(self.builder.add(column, ir.IntType(64)(tap)), self.width, lanes)
            for tap in range(self.side)
        ]

    def taps(self, row: ir.Value, column: ir.Value, masks: list[ir.Value] | None) -> list[ir.Value]:
        """These pixels of a row; without masks all of them lie inside."""
        seen = self._every_pixel(row, column) if self.stride == 1 else self._every_second(row, column)
        if masks is None:
            return seen
        fill = self.vectors.spread(ir.FloatType()(self.fill))
        return [self.builder.select(mask, x, fill) for mask, x in zip(masks, seen, strict=True)]

    def _every_pixel(self, row: ir.Value, column: ir.Value) -> list[ir.Value]:
        return [self._read(row, column, tap) for tap in range(self.side)]

    def _every_second(self, row: ir.Value, column: ir.Value) -> list[ir.Value]:
        def pick(begin: int, first: int) -> ir.Value:
            kind = ir.VectorType(ir.IntType(32), LANES)
            places = [b + first + of + k for b in _BLOCKS for of in (0, LANES) for k in (0, 2)]
            low, high = (self._read(row, column, begin + more) for more in (0, LANES))
            return self.builder.shuffle_vector(low, high, ir.Constant(kind, places))

        return [pick(tap // 2 * 2, tap % 2) for tap in range(self.side)]

    def _read(self, row: ir.Value, column: ir.Value, begin: int) -> ir.Value:
        return self.vectors.read(row, self.builder.add(column, ir.IntType(64)(begin)))

    def finish(self, total: ir.Value, row: ir.Value, begin: ir.Value) -> None:
        """Write the outputs of a row, from number `begin` on, that have met all. Those of later rows may be written
        too, none behind the last; there a mask is slow."""
        builder, v = self.builder, self.vectors
        if self.stride == 2:
            places = ir.Constant(ir.VectorType(ir.IntType(32), LANES), _PLACES)
            total = builder.shuffle_vector(total, total, places)
        place = builder.add(builder.mul(row, self.columns), begin)
        result = self.result(total, place)
        fits = builder.icmp_signed("<=", builder.add(place, ir.IntType(64)(LANES)), self.count)
        with builder.if_else(fits, likely=True) as (then, otherwise):
            with then:
                v.write(result, self.out, place)
            with otherwise:
                v.write(result, self.out, place, v.inside(begin, self.columns))
