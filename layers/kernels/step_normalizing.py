"""What the steps of LRN and Softmax compute (see engines/fast/steps/normalizing.py)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT, floats
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.functions import Functions
from caffe_compat.layers.kernels.lrn import across_block, across_blocks
from caffe_compat.layers.kernels.step import SIGNATURE, step_at
from caffe_compat.layers.kernels.vectors import LANES


def _lrn(pointer, part, parts):
    """Across `local_size` channels."""
    s = step_at(pointer)
    shape = s.images, s.channels, s.width
    x = floats(s.bottom, s.images * s.channels * s.width).reshape(shape)
    y = floats(s.top, s.images * s.channels * s.width).reshape(shape)
    blocks = across_blocks(x)
    for job in range(blocks * part // parts, blocks * (part + 1) // parts):
        across_block(x, s.local_size, s.alpha, s.beta, s.k, job, y)


lrn = Callee(SIGNATURE, _lrn)


class _Softmax:
    """Emits the softmax of numbers that lie `pitch` apart, in a vector of them, or of LANES such sequences at once.

    In the first case `pitch` is 1, and what all lanes have is put together.
    """

    def __init__(self, builder: ir.IRBuilder, x: ir.Value, y: ir.Value, is_row: bool):
        self.v = Functions(builder)
        self.x, self.y, self._is_row = self.v.pointer(x), self.v.pointer(y), is_row

    def emit(self, count: ir.Value, pitch: ir.Value, mask: ir.Value | None) -> None:
        """count: of vectors, `pitch` numbers apart; mask: of the lanes that count, those of the last one of a row."""
        v, builder, word = self.v, self.v.builder, ir.IntType(64)
        last = builder.sub(count, word(1))
        best = cgutils.alloca_once(builder, v.kind)
        total = cgutils.alloca_once(builder, v.kind)
        builder.store(v.number(-math.inf), best)
        builder.store(v.zero, total)

        def each(change: Callable[[ir.Value, ir.Value], None]) -> None:
            whole = last if self._is_row and mask is not None else count
            with cgutils.for_range(builder, whole) as loop:
                change(builder.mul(loop.index, pitch), None if self._is_row else mask)
            if self._is_row and mask is not None:
                change(builder.mul(last, pitch), mask)

        def compare(place: ir.Value, mask: ir.Value | None) -> None:
            more = v.read(self.x, place, mask, v.number(-math.inf))
            builder.store(v.larger(more, builder.load(best)), best)

        each(compare)
        greatest = self._together(v.larger, builder.load(best))

        def take(place: ir.Value, mask: ir.Value | None) -> None:
            power = v.exponential(builder.fsub(v.read(self.x, place, mask), greatest))
            v.write(power, self.y, place, mask)
            if mask is not None:
                power = builder.select(mask, power, v.zero)
            builder.store(builder.fadd(builder.load(total), power), total)

        each(take)
        share = builder.fdiv(v.number(1), self._together(builder.fadd, builder.load(total)))

        def scale(place: ir.Value, mask: ir.Value | None) -> None:
            v.write(builder.fmul(v.read(self.y, place, mask), share), self.y, place, mask)

        each(scale)

    def _together(self, meet: Callable[[ir.Value, ir.Value], ir.Value], value: ir.Value) -> ir.Value:
        return self.v.spread(self.v.across(meet, value)) if self._is_row else value


def _emit_row(typingctx, x, y, count):
    """Emit the softmax of `count` numbers one behind the other."""

    def codegen(context, builder, signature, args):
        x, y, count = args
        word = ir.IntType(64)
        vectors = builder.sdiv(builder.add(count, word(LANES - 1)), word(LANES))
        softmax = _Softmax(builder, x, y, True)
        inside = softmax.v.inside(builder.mul(builder.sub(vectors, word(1)), word(LANES)), count)
        softmax.emit(vectors, word(LANES), inside)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3), codegen


def _emit_columns(typingctx, x, y, count, pitch, columns):
    """Emit the softmax of `count` numbers, `pitch` apart, in each of up to LANES columns."""

    def codegen(context, builder, signature, args):
        x, y, count, pitch, columns = args
        softmax = _Softmax(builder, x, y, False)
        softmax.emit(count, pitch, softmax.v.inside(ir.IntType(64)(0), columns))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), codegen


_softmax_of_row: Any = intrinsic(_emit_row)
_softmax_of_columns: Any = intrinsic(_emit_columns)


def _softmax(pointer, part, parts):
    """Over the channels of images x channels x width."""
    s = step_at(pointer)
    size = FLOAT * s.channels * s.width
    if s.width == 1:
        for n in range(s.images * part // parts, s.images * (part + 1) // parts):
            _softmax_of_row(s.bottom + n * size, s.top + n * size, s.channels)
        return
    blocks = -(-s.width // LANES)
    for job in range(s.images * blocks * part // parts, s.images * blocks * (part + 1) // parts):
        n, block = divmod(job, blocks)
        place, left = n * size + FLOAT * block * LANES, s.width - block * LANES
        _softmax_of_columns(s.bottom + place, s.top + place, s.channels, s.width, min(left, LANES))


softmax = Callee(SIGNATURE, _softmax)
