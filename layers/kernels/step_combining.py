"""What the steps of Concat, Slice and Eltwise compute (see engines/fast/steps/combining.py)."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT, floats
from caffe_compat.layers.kernels.bent import bent
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.shared import share_of
from caffe_compat.layers.kernels.step import SIGNATURE, step_at
from caffe_compat.layers.kernels.vectors import Vectors


def _copy(pointer, part, parts):
    """Each of `images` rows of `depth` numbers, which lie `plane` apart in bottom and `pitch` apart in top."""
    s = step_at(pointer)
    low, high = share_of(s.depth, part, parts)
    for i in range(s.images):
        source = floats(s.bottom + FLOAT * (i * s.plane + low), high - low)
        row = floats(s.top + FLOAT * (i * s.pitch + low), high - low)
        for k in range(len(row)):  # to assign the slice would take two seconds more to compile
            row[k] = source[k]


copy = Callee(SIGNATURE, _copy)


def _add(pointer, part, parts):
    """top = f(alpha * bottom + beta * added), `depth` numbers; `slope` is one for all."""
    s = step_at(pointer)
    slope = floats(s.slope, 1)[0]
    low, high = s.depth * part // parts, s.depth * (part + 1) // parts
    x, other = floats(s.bottom, s.depth)[low:high], floats(s.added, s.depth)[low:high]
    y = floats(s.top, s.depth)[low:high]
    for i in range(len(y)):
        y[i] = bent(s.alpha * x[i] + s.beta * other[i], slope, s.limit)


add = Callee(SIGNATURE, _add)


def _of_two(takes_larger: bool) -> Any:
    def emit(typingctx, x, other, y, count):
        """Emit the loop over numbers (numba hands over types here, and LLVM values to `codegen`)."""

        def codegen(context, builder, signature, args):
            v = Vectors(builder)
            x, other, y = (v.pointer(address) for address in args[:3])
            meet = v.larger if takes_larger else builder.fmul

            def combine(begin: ir.Value, mask: ir.Value | None) -> None:
                v.write(meet(v.read(x, begin, mask), v.read(other, begin, mask)), y, begin, mask)

            v.each(args[3], combine)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 4), codegen

    return intrinsic(emit)


@cache
def product_or_maximum(takes_larger: bool) -> Callee:
    """The function for top = the larger of bottom and added (added where bottom is NaN), or their product; `depth`
    numbers."""
    combine = _of_two(takes_larger)

    def of_all(pointer, part, parts):
        s = step_at(pointer)
        low, high = share_of(s.depth, part, parts)
        combine(s.bottom + FLOAT * low, s.added + FLOAT * low, s.top + FLOAT * low, high - low)

    return Callee(SIGNATURE, of_all)
