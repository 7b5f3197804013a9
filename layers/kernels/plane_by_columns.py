"""A plane (see planes.py) column by column of vectors, each from the top down.

A row of pixels is read once for the three rows of outputs that see it, and masks are made once for a column. The last
vector of a row may be written over the begin of the next rows, which are written later, as columns go from the right to
the left.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

from caffe_compat.layers.kernels.micro_kernel import LANES
from caffe_compat.layers.kernels.planes import SIDE, Plane, filtering


class _ByColumns(Plane):
    def emit(self) -> None:
        builder, word = self.builder, ir.IntType(64)
        chunks = self.chunks()
        with cgutils.for_range(builder, chunks) as chunk:
            begin = builder.mul(builder.sub(builder.sub(chunks, word(1)), chunk.index), word(LANES))
            (self._by_one if self.stride == 1 else self._by_two)(begin)

    def _by_one(self, begin: ir.Value) -> None:
        """A row of pixels ends the sums of one row of outputs, goes on with those of the next, and begins others."""
        builder, v, word = self.builder, self.vectors, ir.IntType(64)
        column = builder.add(self.column, begin)
        masks = self.masks(column)
        second, third = (cgutils.alloca_once_value(builder, v.zero) for _ in range(2))
        with cgutils.for_range(builder, builder.add(self.rows, word(SIDE - 1))) as line:
            taps = self.taps(self.pixels(builder.add(self.row, line.index)), column, masks)
            total = self.plus(builder.load(third), self.weights[2], taps)
            builder.store(self.plus(builder.load(second), self.weights[1], taps), third)
            builder.store(self.plus(v.zero, self.weights[0], taps), second)
            out = builder.sub(line.index, word(SIDE - 1))
            with builder.if_then(builder.icmp_signed(">=", out, word(0))):
                self.finish(total, out, begin)

    def _by_two(self, begin: ir.Value) -> None:
        """Two rows of pixels end the sums of one row of outputs, and the second one begins those of the next."""
        builder, v, word = self.builder, self.vectors, ir.IntType(64)
        column = builder.add(self.column, builder.mul(begin, word(2)))
        masks = self.masks(column)
        begun = cgutils.alloca_once(builder, v.kind)
        builder.store(
            self.plus(v.zero, self.weights[0], self.taps(self.pixels(self.row), column, masks)), begun
        )
        with cgutils.for_range(builder, self.rows) as line:
            middle = builder.add(self.row, builder.add(builder.mul(line.index, word(2)), word(1)))
            taps = self.taps(self.pixels(middle), column, masks)
            total = self.plus(builder.load(begun), self.weights[1], taps)
            taps = self.taps(self.pixels(builder.add(middle, word(1))), column, masks)
            total = self.plus(total, self.weights[2], taps)
            builder.store(self.plus(v.zero, self.weights[0], taps), begun)
            self.finish(total, line.index, begin)


filter_by_columns = filtering(_ByColumns)
