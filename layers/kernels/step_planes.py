"""What the step of a convolution computes whose channels have one filter of 3 x 3 each."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT, floats, integers
from caffe_compat.layers.kernels.bent import emit_bent
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.plane_by_columns import ByColumns
from caffe_compat.layers.kernels.plane_by_rows import ByRows
from caffe_compat.layers.kernels.planes import BEFORE, Plane
from caffe_compat.layers.kernels.shared import share_of
from caffe_compat.layers.kernels.step import SIGNATURE, step_at

SIDE = 3  # of a filter
NEAR = 2**12  # numbers of a plane (16 kB) that stay in a core's first cache


class _Filtered(Plane):
    """Sums of products, and what bent.py makes of them."""

    def __init__(self, builder: ir.IRBuilder, stride: int, pixels, params, outputs):
        super().__init__(builder, SIDE, stride, pixels, outputs)
        filters, bias, slope, limit = params
        v, numbers, word = self.vectors, self.vectors.pointer(filters), ir.IntType(64)
        self._bias, self._slope, self._limit = v.spread(bias), v.spread(slope), v.spread(limit)
        self._weights = [
            [v.spread(builder.load(builder.gep(numbers, [word(SIDE * i + j)]))) for j in range(SIDE)]
            for i in range(SIDE)
        ]

    def begin(self) -> ir.Value:
        return self.vectors.zero

    def meet(self, total: ir.Value, line: int, taps: list[ir.Value]) -> ir.Value:
        for weight, tap in zip(self._weights[line], taps, strict=True):
            total = self.vectors.plus_product(total, weight, tap)
        return total

    def result(self, total: ir.Value, place: ir.Value) -> ir.Value:
        total = self.builder.fadd(total, self._bias)
        return emit_bent(self.vectors, total, self._slope, self._limit)


def _of_order(order: type[ByRows] | type[ByColumns]) -> Any:
    def emit(
        typingctx, stride, plane, outside, height, width, row, column, filters, bias, slope, limit, rows, columns,
        count, out,
    ):  # fmt: skip
        """Emit the loops over outputs (numba hands over types here, and LLVM values to `codegen`)."""
        i64, f32 = types.int64, types.float32

        def codegen(context, builder, signature, args):
            order(_Filtered(builder, stride.literal_value, args[1:7], args[7:11], args[11:])).emit()
            return context.get_dummy_value()

        return types.void(stride, *[i64] * 7, f32, f32, f32, *[i64] * 4), codegen

    return intrinsic(prefer_literal=True)(emit)


# filter_by_rows(stride, plane, outside, height, width, row, column, filters, bias, slope, limit, rows, columns, count,
# out): out = f(filter * plane + bias), with f as bent.py has it; for the others see Plane. filters: an address
_filter_by_rows, _filter_by_columns = _of_order(ByRows), _of_order(ByColumns)


def planes(stride: int, area: int) -> Callee:
    """The function for planes of so many pixels: top = f(filters * bottom + bias), of images x groups planes.

    starts: row and column of the first pixel.
    """
    return _planes(stride, area > 2 * NEAR)


@cache
def _planes(stride: int, is_large: bool) -> Callee:
    def of_all(pointer, part, parts):
        s = step_at(pointer)
        zeros = s.scratch + FLOAT * part * s.scratch_size
        floats(zeros, s.scratch_size)[:] = 0
        zeros += FLOAT * BEFORE
        bias, slope, starts = floats(s.bias, s.groups), floats(s.slope, s.groups), integers(s.starts, 2)
        area, band = s.out_height * s.out_width, NEAR // (stride * s.width) + SIDE
        for plane in range(*share_of(s.images * s.groups, part, parts)):
            c, top = plane % s.groups, s.top + FLOAT * plane * area
            source, filters = s.bottom + FLOAT * plane * s.height * s.width, s.filters + FLOAT * c * SIDE**2
            if is_large:
                _filter_by_rows(
                    stride, source, zeros, s.height, s.width, starts[0], starts[1], filters, bias[c], slope[c],
                    s.limit, s.out_height, s.out_width, area, top,
                )  # fmt: skip
                continue
            for first in range(0, s.out_height, band):
                place = first * s.out_width
                _filter_by_columns(
                    stride, source, zeros, s.height, s.width, starts[0] + first * stride, starts[1], filters,
                    bias[c], slope[c], s.limit, min(band, s.out_height - first), s.out_width, area - place,
                    top + FLOAT * place,
                )  # fmt: skip

    return Callee(SIGNATURE, of_all)
