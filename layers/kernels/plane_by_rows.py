"""A plane (see planes.py) row by row, a few rows of outputs at a time: memory is read and written in its order.

So a plane that a core's first cache does not hold takes no longer than others. What the next rows read and write is
asked for ahead. The last rows together, and the last vector of a row, begin earlier where they would end outside, so
that some outputs are computed twice; where a row has fewer outputs than a vector, it is written over the begin of the
next one, which is written later.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

from caffe_compat.layers.kernels.planes import Plane
from caffe_compat.layers.kernels.vectors import LANES

TOGETHER = 4  # rows of outputs


class ByRows:
    """Emits the loops over a plane's outputs."""

    def __init__(self, plane: Plane):
        self._plane, self._builder = plane, plane.builder

    def emit(self) -> None:
        """Emit them."""
        builder, rows, word = self._builder, self._plane.rows, ir.IntType(64)
        with builder.if_else(builder.icmp_signed("<", rows, word(TOGETHER))) as (then, otherwise):
            with then, cgutils.for_range(builder, rows) as row:
                self._rows(row.index, 1)
            with otherwise:
                blocks = builder.sdiv(builder.add(rows, word(TOGETHER - 1)), word(TOGETHER))
                with cgutils.for_range(builder, blocks) as block:
                    first = builder.mul(block.index, word(TOGETHER))
                    self._rows(self._least(first, builder.sub(rows, word(TOGETHER))), TOGETHER)

    def _least(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self._builder.select(self._builder.icmp_signed("<", x, y), x, y)

    def _rows(self, line: ir.Value, count: int) -> None:
        """So many rows of outputs, from `line` on."""
        builder, plane, word = self._builder, self._plane, ir.IntType(64)
        at = builder.add(plane.row, builder.mul(line, word(plane.stride)))
        seen = [
            plane.pixels(builder.add(at, word(i))) for i in range((count - 1) * plane.stride + plane.side)
        ]
        # a vector that begins there is the last one all of whose pixels lie inside
        last = builder.sub(plane.width, word((LANES - 1) * plane.stride + plane.side))
        is_narrow = builder.icmp_signed("<", plane.columns, word(LANES))
        with cgutils.for_range(builder, plane.chunks()) as chunk:
            begin = builder.mul(chunk.index, word(LANES))
            begin = self._least(begin, builder.sub(plane.columns, word(LANES)))
            begin = builder.select(is_narrow, word(0), begin)
            column = builder.add(plane.column, builder.mul(begin, word(plane.stride)))
            next_row = builder.add(at, word(len(seen)))
            self._fetch(next_row, count * plane.stride, plane.plane, plane.width, column, write=False)
            self._fetch(builder.add(line, word(count)), count, plane.out, plane.columns, begin, write=True)
            bounds = ("<=", word(0), column), ("<=", column, last)
            is_inside = builder.and_(*(builder.icmp_signed(*bound) for bound in bounds))
            for i, total in enumerate(self._outputs(seen, column, count, is_inside)):
                plane.finish(total, builder.add(line, word(i)), begin)

    def _fetch(
        self, row: ir.Value, count: int, base: ir.Value, width: ir.Value, column: ir.Value, write: bool
    ) -> None:
        """Ask for a line of the cache in each of some rows."""
        for i in range(count):
            at = self._builder.add(
                self._builder.mul(self._builder.add(row, ir.IntType(64)(i)), width), column
            )
            self._plane.vectors.ask_for(base, at, write)

    def _outputs(
        self, seen: list[ir.Value], column: ir.Value, count: int, is_inside: ir.Value
    ) -> list[ir.Value]:
        """The outputs of some rows; only where pixels may lie outside they are masked."""
        with self._builder.if_else(is_inside, likely=True) as (then, otherwise):
            with then:
                inside, end = self._outputs_of(seen, column, count, None), self._builder.block
            with otherwise:
                masks = self._plane.masks(column)
                masked, masked_end = self._outputs_of(seen, column, count, masks), self._builder.block
        totals = []
        for two in zip(inside, masked, strict=True):
            total = self._builder.phi(self._plane.vectors.kind)
            for value, block in zip(two, (end, masked_end), strict=True):
                total.add_incoming(value, block)
            totals.append(total)
        return totals

    def _outputs_of(
        self, seen: list[ir.Value], column: ir.Value, count: int, masks: list[ir.Value] | None
    ) -> list[ir.Value]:
        plane = self._plane
        totals = [plane.begin()] * count
        for i, row in enumerate(seen):
            taps = plane.taps(row, column, masks)
            for out in range(count):
                if 0 <= i - out * plane.stride < plane.side:
                    totals[out] = plane.meet(totals[out], i - out * plane.stride, taps)
        return totals
