"""A plane (see planes.py) column by column of vectors, each from the top down.

A row of pixels is read once for all rows of outputs that see it, and masks are made once for a column. The last
vector of a row may be written over the begin of the next rows, which are written later, as columns go from the right to
the left.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

from caffe_compat.layers.kernels.planes import Plane
from caffe_compat.layers.kernels.vectors import LANES


class ByColumns:
    """Emits the loops over a plane's outputs, for windows of 3 x 3."""

    def __init__(self, plane: Plane):
        assert plane.side == 3
        self._plane, self._builder = plane, plane.builder

    def emit(self) -> None:
        """Emit them."""
        builder, word, chunks = self._builder, ir.IntType(64), self._plane.chunks()
        with cgutils.for_range(builder, chunks) as chunk:
            begin = builder.mul(builder.sub(builder.sub(chunks, word(1)), chunk.index), word(LANES))
            (self._by_one if self._plane.stride == 1 else self._by_two)(begin)

    def _by_one(self, begin: ir.Value) -> None:
        """A row of pixels ends one row of outputs, goes on with the next, and begins another."""
        builder, plane, word = self._builder, self._plane, ir.IntType(64)
        column = builder.add(plane.column, begin)
        masks = plane.masks(column)
        second, third = (cgutils.alloca_once_value(builder, plane.begin()) for _ in range(2))
        with cgutils.for_range(builder, builder.add(plane.rows, word(2))) as line:
            taps = plane.taps(plane.pixels(builder.add(plane.row, line.index)), column, masks)
            total = plane.meet(builder.load(third), 2, taps)
            builder.store(plane.meet(builder.load(second), 1, taps), third)
            builder.store(plane.meet(plane.begin(), 0, taps), second)
            out = builder.sub(line.index, word(2))
            with builder.if_then(builder.icmp_signed(">=", out, word(0))):
                plane.finish(total, out, begin)

    def _by_two(self, begin: ir.Value) -> None:
        """Two rows of pixels end one row of outputs, and the second one begins the next."""
        builder, plane, word = self._builder, self._plane, ir.IntType(64)
        column = builder.add(plane.column, builder.mul(begin, word(2)))
        masks = plane.masks(column)
        taps = plane.taps(plane.pixels(plane.row), column, masks)
        begun = cgutils.alloca_once_value(builder, plane.meet(plane.begin(), 0, taps))
        with cgutils.for_range(builder, plane.rows) as line:
            middle = builder.add(plane.row, builder.add(builder.mul(line.index, word(2)), word(1)))
            total = plane.meet(builder.load(begun), 1, plane.taps(plane.pixels(middle), column, masks))
            taps = plane.taps(plane.pixels(builder.add(middle, word(1))), column, masks)
            builder.store(plane.meet(plane.begin(), 0, taps), begun)
            plane.finish(plane.meet(total, 2, taps), line.index, begin)
