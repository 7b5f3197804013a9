"""What the step of a Pooling with small windows computes (see engines/fast/steps/pooling.py).

Planes are laid out as images are for a convolution, and taps meet vector by vector. The planes of a chunk lie one
behind the other in each phase, so that a tap has one distance to the outputs of them all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT, floats, integers
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.lay_out import call_lay_out
from caffe_compat.layers.kernels.pool_maxima import LOWEST
from caffe_compat.layers.kernels.shared import share_of
from caffe_compat.layers.kernels.step import SIGNATURE, step_at
from caffe_compat.layers.kernels.vectors import LANES, Vectors


class _Meeting:
    """Emits what becomes of taps."""

    def __init__(self, builder: ir.IRBuilder, maxima: bool):
        self._builder, self._v, self._maxima = builder, Vectors(builder), maxima
        self._result = cgutils.alloca_once(builder, self._v.kind)

    def of(self, numbers, count, place_of) -> ir.Value:
        """A vector of the maxima or sums of `count` vectors of numbers; place_of: where the one of a tap begins."""
        builder, v = self._builder, self._v
        builder.store(v.spread(ir.FloatType()(float(LOWEST) if self._maxima else 0.0)), self._result)
        with cgutils.for_range(builder, count) as tap:
            x, y = v.read(numbers, place_of(tap.index)), builder.load(self._result)
            builder.store(v.larger(x, y) if self._maxima else builder.fadd(y, x), self._result)
        return builder.load(self._result)


def _meet(maxima: bool) -> Any:
    def emit(typingctx, laid_out, vectors, offsets, taps, masks, outputs, out):
        """Emit the loop over vectors (numba hands over types here, and LLVM values to `codegen`)."""

        def codegen(context, builder, signature, args):
            laid_out, vectors, offsets, taps, masks, outputs, out = args
            v, word, meeting = Vectors(builder), ir.IntType(64), _Meeting(builder, maxima)
            laid_out, out = v.pointer(laid_out), v.pointer(out)
            offsets, masks = (builder.inttoptr(x, word.as_pointer()) for x in (offsets, masks))
            done = cgutils.alloca_once_value(builder, word(0))
            with cgutils.for_range(builder, vectors) as loop:
                begin = builder.mul(loop.index, word(LANES))

                def place_of(tap: ir.Value, begin: ir.Value = begin) -> ir.Value:
                    return builder.add(begin, builder.load(builder.gep(offsets, [tap])))

                result = meeting.of(laid_out, taps, place_of)
                bits, place = builder.load(builder.gep(masks, [loop.index])), builder.load(done)
                found, left = builder.ctpop(bits), builder.sub(outputs, place)
                number = builder.select(builder.icmp_signed("<", found, left), found, left)
                # what is written too much is written later
                v.write(v.compress(result, bits), out, place, v.inside(word(0), left))
                builder.store(builder.add(place, number), done)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7), codegen

    return intrinsic(emit)


def _meet_along(maxima: bool) -> Any:
    def emit(typingctx, laid_out, vectors, taps, out):
        """Emit the loop over vectors (numba hands over types here, and LLVM values to `codegen`)."""

        def codegen(context, builder, signature, args):
            v, word, meeting = Vectors(builder), ir.IntType(64), _Meeting(builder, maxima)
            laid_out, out = v.pointer(args[0]), v.pointer(args[3])
            with cgutils.for_range(builder, args[1]) as loop:
                begin = builder.mul(loop.index, word(LANES))
                v.write(
                    meeting.of(laid_out, args[2], lambda tap, begin=begin: builder.add(begin, tap)),
                    out,
                    begin,
                )
            return context.get_dummy_value()

        return types.void(*[types.int64] * 4), codegen

    return intrinsic(emit)


# meet(laid_out, vectors, offsets, taps, masks, outputs, out): out = the maxima or sums of the numbers that taps find,
# of the lanes in the masks; meet_along(laid_out, vectors, taps, out): those of so many numbers one behind the other
_meet_maxima, _meet_sums = _meet(True), _meet(False)
_maxima_along, _sums_along = _meet_along(True), _meet_along(False)


@njit(error_model="numpy", inline="always")
def _lay_out_planes(s, scratch, low, count, fill):
    starts = integers(s.starts, 2 * s.phases)
    for p in range(s.phases):
        for plane in range(count):
            source = s.bottom + FLOAT * (low + plane) * s.height * s.width
            to = scratch + FLOAT * (p * s.channels + plane) * s.plane
            arguments = (
                source, s.height, s.width, starts[2 * p], starts[2 * p + 1],
                s.stride_h, s.plane // s.pitch, s.pitch, fill, to,
            )  # fmt: skip
            call_lay_out(s.lay_out, arguments)


def _maxima(pointer, part, parts):
    """Maxima over the windows of `images` planes, `channels` at a time, by `depth` taps; laid out as filter_images.py
    says.

    local_size: not 0 for stride 1, if as many numbers of a row meet first, and the taps are those of a column.
    """
    s = step_at(pointer)
    area, scratch = s.out_height * s.out_width, s.scratch + FLOAT * part * s.scratch_size
    met = scratch + FLOAT * (s.scratch_size // 2) if s.local_size else scratch
    begin, end = share_of(s.images, part, parts)
    for low in range(begin, end, s.channels):
        count = min(s.channels, end - low)
        _lay_out_planes(s, scratch, low, count, LOWEST)
        vectors, top = -(-count * s.plane // LANES), s.top + FLOAT * low * area
        if s.local_size:
            _maxima_along(scratch, vectors, s.local_size, met)
        _meet_maxima(met, vectors, s.offsets, s.depth, s.masks, count * area, top)


def _averages(pointer, part, parts):
    """Averages likewise; scale: of each output of a plane, one over the number of elements of its window."""
    s = step_at(pointer)
    area, scratch = s.out_height * s.out_width, s.scratch + FLOAT * part * s.scratch_size
    met = scratch + FLOAT * (s.scratch_size // 2) if s.local_size else scratch
    scale = floats(s.scale, area)
    begin, end = share_of(s.images, part, parts)
    for low in range(begin, end, s.channels):
        count = min(s.channels, end - low)
        _lay_out_planes(s, scratch, low, count, np.float32(0))
        vectors, top = -(-count * s.plane // LANES), s.top + FLOAT * low * area
        if s.local_size:
            _sums_along(scratch, vectors, s.local_size, met)
        _meet_sums(met, vectors, s.offsets, s.depth, s.masks, count * area, top)
        for plane in range(count):
            y = floats(top + FLOAT * plane * area, area)
            for i in range(area):
                y[i] *= scale[i]


maxima, averages = Callee(SIGNATURE, _maxima), Callee(SIGNATURE, _averages)
