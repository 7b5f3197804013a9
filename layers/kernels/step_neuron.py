"""What the step of a function of one number computes (see engines/fast/steps/neuron.py)."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.functions import FUNCTIONS, Functions
from caffe_compat.layers.kernels.shared import share_of
from caffe_compat.layers.kernels.step import SIGNATURE, step_at


def _emit(typingctx, which, bottom, top, count, alpha, beta):
    """Emit the loop over numbers (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        v, function = Functions(builder), list(FUNCTIONS.values())[which.literal_value]
        bottom, top, count = v.pointer(args[1]), v.pointer(args[2]), args[3]
        alpha, beta = v.spread(args[4]), v.spread(args[5])

        def change(begin: ir.Value, mask: ir.Value | None) -> None:
            v.write(function(v, v.read(bottom, begin, mask), alpha, beta), top, begin, mask)

        v.each(count, change)
        return context.get_dummy_value()

    return types.void(which, *[types.int64] * 3, *[types.float32] * 2), codegen


_row: Any = intrinsic(prefer_literal=True)(_emit)


@cache
def neuron(name: str) -> Callee:
    """The function for one of FUNCTIONS: top = f(bottom) of `width` numbers, f of alpha and beta too."""
    which = list(FUNCTIONS).index(name)

    def of_all(pointer, part, parts):
        s = step_at(pointer)
        low, high = share_of(s.width, part, parts)
        _row(which, s.bottom + FLOAT * low, s.top + FLOAT * low, high - low, s.alpha, s.beta)

    return Callee(SIGNATURE, of_all)
