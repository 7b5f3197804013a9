"""A plane (see planes.py) row by row, a few rows of outputs at a time: memory is read and written in its order.

So a plane that a core's first cache does not hold takes no longer than others. What the next rows read and write is
asked for ahead. The last rows together, and the last vector of a row, begin earlier where they would end outside, so
that some outputs are computed twice; where a row has fewer outputs than a vector, it is written over the begin of the
next one, which is written later.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

from caffe_compat.layers.kernels.micro_kernel import LANES
from caffe_compat.layers.kernels.planes import SIDE, Plane, filtering

TOGETHER = 4  # rows of outputs


class _ByRows(Plane):
    def emit(self) -> None:
        builder, word = self.builder, ir.IntType(64)
        with builder.if_else(builder.icmp_signed("<", self.rows, word(TOGETHER))) as (then, otherwise):
            with then, cgutils.for_range(builder, self.rows) as row:
                self._rows(row.index, 1)
            with otherwise:
                blocks = builder.sdiv(builder.add(self.rows, word(TOGETHER - 1)), word(TOGETHER))
                with cgutils.for_range(builder, blocks) as block:
                    first = builder.mul(block.index, word(TOGETHER))
                    self._rows(self._least(first, builder.sub(self.rows, word(TOGETHER))), TOGETHER)

    def _least(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.builder.select(self.builder.icmp_signed("<", x, y), x, y)

    def _rows(self, line: ir.Value, count: int) -> None:
        """So many rows of outputs, from `line` on."""
        builder, word = self.builder, ir.IntType(64)
        at = builder.add(self.row, builder.mul(line, word(self.stride)))
        seen = [self.pixels(builder.add(at, word(i))) for i in range((count - 1) * self.stride + SIDE)]
        last = builder.sub(
            self.width, word((LANES - 1) * self.stride + SIDE)
        )  # a vector inside may begin there
        is_narrow = builder.icmp_signed("<", self.columns, word(LANES))
        with cgutils.for_range(builder, self.chunks()) as chunk:
            begin = builder.mul(chunk.index, word(LANES))
            begin = self._least(begin, builder.sub(self.columns, word(LANES)))
            begin = builder.select(is_narrow, word(0), begin)
            column = builder.add(self.column, builder.mul(begin, word(self.stride)))
            self._fetch(
                builder.add(at, word(len(seen))), count * self.stride, self.plane, self.width, column, 0
            )
            self._fetch(builder.add(line, word(count)), count, self.out, self.columns, begin, 1)
            bounds = ("<=", word(0), column), ("<=", column, last)
            is_inside = builder.and_(*(builder.icmp_signed(*bound) for bound in bounds))
            for i, total in enumerate(self._sums(seen, column, count, is_inside)):
                self.finish(total, builder.add(line, word(i)), begin)

    def _fetch(
        self, row: ir.Value, count: int, base: ir.Value, width: ir.Value, column: ir.Value, write: int
    ) -> None:
        """Ask for a line of the cache in each of some rows."""
        builder, i32, byte = self.builder, ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for i in range(count):
            at = builder.add(builder.mul(builder.add(row, ir.IntType(64)(i)), width), column)
            place = builder.bitcast(builder.gep(base, [at]), byte)
            builder.call(prefetch, [place, i32(write), i32(3), i32(1)])

    def _sums(
        self, seen: list[ir.Value], column: ir.Value, count: int, is_inside: ir.Value
    ) -> list[ir.Value]:
        """The sums of some rows of outputs; only where pixels may lie outside they are masked."""
        with self.builder.if_else(is_inside, likely=True) as (then, otherwise):
            with then:
                inside, end = self._sums_of(seen, column, count, None), self.builder.block
            with otherwise:
                masks = self.masks(column)
                masked, masked_end = self._sums_of(seen, column, count, masks), self.builder.block
        totals = []
        for two in zip(inside, masked, strict=True):
            total = self.builder.phi(self.vectors.kind)
            for value, block in zip(two, (end, masked_end), strict=True):
                total.add_incoming(value, block)
            totals.append(total)
        return totals

    def _sums_of(
        self, seen: list[ir.Value], column: ir.Value, count: int, masks: list[ir.Value] | None
    ) -> list[ir.Value]:
        totals = [self.vectors.zero] * count
        for i, row in enumerate(seen):
            taps = self.taps(row, column, masks)
            for out in range(count):
                if 0 <= i - out * self.stride < SIDE:
                    totals[out] = self.plus(totals[out], self.weights[i - out * self.stride], taps)
        return totals


filter_by_rows = filtering(_ByRows)
