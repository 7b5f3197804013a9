"""Numbers that will be read soon are asked for, so that they are in the processor's caches by then."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT
from caffe_compat.layers.kernels.vectors import Vectors

LINE = 16  # numbers of a cache line


def _emit(typingctx, address):
    """Emit the request (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        v = Vectors(builder)
        v.ask_for(v.pointer(args[0]), ir.IntType(64)(0))
        return context.get_dummy_value()

    return types.void(types.int64), codegen


_ask_for_line: Any = intrinsic(_emit)


@njit(error_model="numpy", inline="always")
def ask_for(address, count):
    """Ask for `count` float32 from an address on."""
    for place in range(0, count, LINE):
        _ask_for_line(address + FLOAT * place)
