"""What the step of a Pooling with few large windows computes (see engines/fast/steps/pooling.py)."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT, floats, integers
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.pool_maxima import LOWEST
from caffe_compat.layers.kernels.pool_windows import window_range
from caffe_compat.layers.kernels.step import SIGNATURE, step_at
from caffe_compat.layers.kernels.vectors import LANES, Vectors


def _of_window(maxima: bool) -> Any:
    def emit(typingctx, first, pitch, rows, columns):
        """Emit the loops (numba hands over types here, and LLVM values to `codegen`)."""

        def codegen(context, builder, signature, args):
            first, pitch, rows, columns = args
            v, word = Vectors(builder), ir.IntType(64)
            fill = v.spread(ir.FloatType()(float(LOWEST) if maxima else 0.0))
            meet = v.larger if maxima else builder.fadd
            result, first = cgutils.alloca_once_value(builder, fill), v.pointer(first)
            chunks = builder.sdiv(builder.add(columns, word(LANES - 1)), word(LANES))
            with cgutils.for_range(builder, rows) as row, cgutils.for_range(builder, chunks) as chunk:
                begin = builder.mul(chunk.index, word(LANES))
                place = builder.add(builder.mul(row.index, pitch), begin)
                more = v.read(first, place, v.inside(begin, columns), fill)
                builder.store(meet(more, builder.load(result)), result)
            return v.across(meet, builder.load(result))

        return types.float32(*[types.int64] * 4), codegen

    return intrinsic(emit)


# of the numbers of a window (first, pitch, rows, columns), whose rows lie `pitch` apart; first: an address
_greatest, _sum = _of_window(True), _of_window(False)


@njit(error_model="numpy", inline="always")
def _window(s, plane, place):
    """What _greatest and _sum take of output number `place` of a plane."""
    window = integers(s.windows, 6).reshape(2, 3)
    y, x = divmod(place, s.out_width)
    above, below = window_range(window, 0, y, s.height)
    left, right = window_range(window, 1, x, s.width)
    first, rows, columns = plane + FLOAT * (above * s.width + left), below - above, right - left
    if columns == s.width:
        rows, columns = 1, rows * columns
    return first, s.width, rows, columns


def _maxima(pointer, part, parts):
    """Maxima over the `windows` (int64, 2 x 3: see pool_windows.py) of `images` planes."""
    s = step_at(pointer)
    area = s.out_height * s.out_width
    for p in range(s.images * part // parts, s.images * (part + 1) // parts):
        plane, top = s.bottom + FLOAT * p * s.height * s.width, floats(s.top + FLOAT * p * area, area)
        for place in range(area):
            first, pitch, rows, columns = _window(s, plane, place)
            top[place] = _greatest(first, pitch, rows, columns)


def _averages(pointer, part, parts):
    """Averages likewise; scale: of each output of a plane, one over the number of elements of its window."""
    s = step_at(pointer)
    area = s.out_height * s.out_width
    scale = floats(s.scale, area)
    for p in range(s.images * part // parts, s.images * (part + 1) // parts):
        plane, top = s.bottom + FLOAT * p * s.height * s.width, floats(s.top + FLOAT * p * area, area)
        for place in range(area):
            first, pitch, rows, columns = _window(s, plane, place)
            top[place] = _sum(first, pitch, rows, columns) * scale[place]


maxima, averages = Callee(SIGNATURE, _maxima), Callee(SIGNATURE, _averages)
