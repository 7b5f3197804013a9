"""What the step of layers that work channel by channel computes (see engines/fast/steps/channels.py)."""

from __future__ import annotations

from functools import partial
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT
from caffe_compat.layers.kernels.bent import emit_bent
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.step import SIGNATURE, step_at
from caffe_compat.layers.kernels.vectors import Vectors


def _row(one_each: bool) -> Any:
    def emit(typingctx, bottom, added, top, count, scale, bias, slope, limit):
        """Emit the loop over a row (numba hands over types here, and LLVM values to `codegen`)."""

        def codegen(context, builder, signature, args):
            v = Vectors(builder)
            bottom, added, top = (v.pointer(address) for address in args[:3])
            count, factors, limit = args[3], [v.pointer(address) for address in args[4:7]], v.spread(args[7])
            spread = None if one_each else [v.spread(builder.load(place)) for place in factors]

            def change(is_added: bool, begin: ir.Value, mask: ir.Value | None) -> None:
                scale, bias, slope = spread or [v.read(place, begin, mask) for place in factors]
                value = builder.fadd(builder.fmul(v.read(bottom, begin, mask), scale), bias)
                if is_added:
                    value = builder.fadd(value, v.read(added, begin, mask))
                v.write(emit_bent(v, value, slope, limit), top, begin, mask)

            with builder.if_else(builder.icmp_unsigned("!=", args[1], args[1].type(0))) as (then, otherwise):
                with then:
                    v.each(count, partial(change, True))
                with otherwise:
                    v.each(count, partial(change, False))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7, types.float32), codegen

    return intrinsic(emit)


# row(bottom, added, top, count, scale, bias, slope, limit): top = f(bottom * scale + bias + added) of `count` numbers,
# f that of bent.py; added may be 0. scale, bias and slope are one number each, or one for each of the row
row_of_channel, _row_of_channels = _row(False), _row(True)


def _channels(pointer, part, parts):
    """top = f(bottom * scale + bias + added), images x channels x width, with one of each a channel; added may be 0."""
    s = step_at(pointer)
    if s.width == 1:
        for n in range(s.images * part // parts, s.images * (part + 1) // parts):
            place = FLOAT * n * s.channels
            added = s.added + place if s.added else 0
            _row_of_channels(
                s.bottom + place, added, s.top + place, s.channels, s.scale, s.bias, s.slope, s.limit
            )
        return
    planes = s.images * s.channels
    for p in range(planes * part // parts, planes * (part + 1) // parts):
        place, c = FLOAT * p * s.width, FLOAT * (p % s.channels)
        added = s.added + place if s.added else 0
        row_of_channel(
            s.bottom + place, added, s.top + place, s.width, s.scale + c, s.bias + c, s.slope + c, s.limit
        )


channels = Callee(SIGNATURE, _channels)
