"""What the step of a Pooling with windows of 2 x 2 or 3 x 3 computes (see engines/fast/steps/pooling.py)."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT, floats, integers
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.plane_by_rows import ByRows
from caffe_compat.layers.kernels.planes import BEFORE, Plane
from caffe_compat.layers.kernels.pool_maxima import LOWEST
from caffe_compat.layers.kernels.shared import share_of
from caffe_compat.layers.kernels.step import SIGNATURE, step_at

SIDES, STRIDES = (2, 3), (1, 2)


class _Pooled(Plane):
    def begin(self) -> ir.Value:
        return self.vectors.spread(ir.FloatType()(self.fill))


class _Maxima(_Pooled):
    fill = float(LOWEST)

    def meet(self, total: ir.Value, line: int, taps: list[ir.Value]) -> ir.Value:
        for tap in taps:
            total = self.vectors.larger(tap, total)
        return total

    def result(self, total: ir.Value, place: ir.Value) -> ir.Value:
        return total


class _Averages(_Pooled):
    """Sums, times one over the number of elements of each window."""

    def __init__(self, builder: ir.IRBuilder, side: int, stride: int, pixels, scale, outputs):
        super().__init__(builder, side, stride, pixels, outputs)
        self._scale = self.vectors.pointer(scale)

    def meet(self, total: ir.Value, line: int, taps: list[ir.Value]) -> ir.Value:
        for tap in taps:
            total = self.builder.fadd(total, tap)
        return total

    def result(self, total: ir.Value, place: ir.Value) -> ir.Value:
        return self.builder.fmul(total, self.vectors.read(self._scale, place))


def _emit(
    typingctx,
    maxima,
    side,
    stride,
    plane,
    outside,
    height,
    width,
    row,
    column,
    scale,
    rows,
    columns,
    count,
    out,
):
    """Emit the loops over outputs (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        sizes, pixels, scale, outputs = (
            (side.literal_value, stride.literal_value),
            args[3:9],
            args[9],
            args[10:],
        )
        of_averages = _Averages(builder, *sizes, pixels, scale, outputs)
        ByRows(_Maxima(builder, *sizes, pixels, outputs) if maxima.literal_value else of_averages).emit()
        return context.get_dummy_value()

    return types.void(maxima, side, stride, *[types.int64] * 11), codegen


# pool(maxima, side, stride, plane, outside, height, width, row, column, scale, rows, columns, count, out): out = the
# maxima of a plane's windows where `maxima` is 1, else their averages; for the others see Plane. scale: the address of
# one over the number of elements of each window, and of LANES numbers more
_pool: Any = intrinsic(prefer_literal=True)(_emit)


@cache
def pooled_planes(maxima: int, side: int, stride: int) -> Callee:
    """The function for such windows: top = their maxima, where `maxima` is 1, else averages, of `images` planes.

    starts: row and column of the first pixel; scale: of each output of a plane, one over the number of elements of its
    window.
    """
    fill = np.float32(LOWEST if maxima else 0)

    def of_all(pointer, part, parts):
        s = step_at(pointer)
        outside = s.scratch + FLOAT * part * s.scratch_size
        floats(outside, s.scratch_size)[:] = fill
        outside += FLOAT * BEFORE
        starts, area = integers(s.starts, 2), s.out_height * s.out_width
        for plane in range(*share_of(s.images, part, parts)):
            _pool(
                maxima, side, stride, s.bottom + FLOAT * plane * s.height * s.width, outside, s.height, s.width,
                starts[0], starts[1], s.scale, s.out_height, s.out_width, area, s.top + FLOAT * plane * area,
            )  # fmt: skip

    return Callee(SIGNATURE, of_all)
