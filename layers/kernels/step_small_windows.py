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
from caffe_compat.layers.kernels.micro_kernel import LANES, Vectors
from caffe_compat.layers.kernels.pool_maxima import LOWEST
from caffe_compat.layers.kernels.shared import share_of
from caffe_compat.layers.kernels.step import SIGNATURE, step_at


def _meet(maxima: bool) -> Any:
    def emit(typingctx, laid_out, vectors, offsets, taps, masks, outputs, out):
        """Emit the loop over vectors (numba hands over types here, and LLVM values to `codegen`)."""

        def codegen(context, builder, signature, args):
            laid_out, vectors, offsets, taps, masks, outputs, out = args
            v, word = Vectors(builder), ir.IntType(64)
            laid_out, out = v.pointer(laid_out), v.pointer(out)
            offsets, masks = (builder.inttoptr(x, word.as_pointer()) for x in (offsets, masks))
            first = v.spread(ir.FloatType()(float(LOWEST) if maxima else 0.0))
            result, done = cgutils.alloca_once(builder, v.kind), cgutils.alloca_once_value(builder, word(0))
            with cgutils.for_range(builder, vectors) as loop:
                builder.store(first, result)
                begin = builder.mul(loop.index, word(LANES))
                with cgutils.for_range(builder, taps) as tap:
                    offset = builder.load(builder.gep(offsets, [tap.index]))
                    x, y = v.read(laid_out, builder.add(begin, offset)), builder.load(result)
                    larger = builder.select(builder.fcmp_ordered(">", x, y), x, y)
                    builder.store(larger if maxima else builder.fadd(y, x), result)
                bits, place = builder.load(builder.gep(masks, [loop.index])), builder.load(done)
                found, left = builder.ctpop(bits), builder.sub(outputs, place)
                number = builder.select(builder.icmp_signed("<", found, left), found, left)
                packed = v.compress(builder.load(result), bits)
                # what is written too much is written later
                v.write_some(packed, out, place, v.inside(word(0), left))
                builder.store(builder.add(place, number), done)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7), codegen

    return intrinsic(emit)


_meet_maxima, _meet_sums = _meet(True), _meet(False)


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
    says."""
    s = step_at(pointer)
    area, scratch = s.out_height * s.out_width, s.scratch + FLOAT * part * s.scratch_size
    first, end = share_of(s.images, part, parts)
    for low in range(first, end, s.channels):
        count = min(s.channels, end - low)
        _lay_out_planes(s, scratch, low, count, LOWEST)
        vectors, top = -(-count * s.plane // LANES), s.top + FLOAT * low * area
        _meet_maxima(scratch, vectors, s.offsets, s.depth, s.masks, count * area, top)


def _averages(pointer, part, parts):
    """Averages likewise; scale: of each output of a plane, one over the number of elements of its window."""
    s = step_at(pointer)
    area, scratch = s.out_height * s.out_width, s.scratch + FLOAT * part * s.scratch_size
    scale = floats(s.scale, area)
    first, end = share_of(s.images, part, parts)
    for low in range(first, end, s.channels):
        count = min(s.channels, end - low)
        _lay_out_planes(s, scratch, low, count, np.float32(0))
        vectors, top = -(-count * s.plane // LANES), s.top + FLOAT * low * area
        _meet_sums(scratch, vectors, s.offsets, s.depth, s.masks, count * area, top)
        for plane in range(count):
            y = floats(top + FLOAT * plane * area, area)
            for i in range(area):
                y[i] *= scale[i]


maxima, averages = Callee(SIGNATURE, _maxima), Callee(SIGNATURE, _averages)
