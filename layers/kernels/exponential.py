"""exp in single precision, in a form that vectorises; a call of the C library's takes many times longer.

x = n ln 2 + r with |r| <= ln 2 / 2, and exp(x) = 2^n exp(r), exp(r) by its Taylor polynomial of degree 7, whose error
is below 1e-8; ln 2 is taken off in two parts (Cody and Waite, Software Manual for the Elementary Functions, 1980).
Within 2 units in the last place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from caffe_compat.layers.kernels.pieces import piece


def _emit(typingctx, bits):
    """Emit the cast (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), codegen


_as_float: Any = intrinsic(_emit)
_LOG2E, _HIGH, _LOW = np.float32(1.4426950408889634), np.float32(0.693359375), np.float32(-2.12194440e-4)
_LEAST, _MOST = np.float32(-87.3), np.float32(88.3)  # beyond, the result is 0, or too large for what follows
_FACTORS = tuple(np.float32(1 / n) for n in (1, 2, 6, 24, 120, 720, 5040))


@piece(fastmath={"contract"})
def exponential(x):
    """exp(x) of a float32 up to 88; 0 below -87.3. NaN stays NaN."""
    within = min(max(x, _LEAST), _MOST)
    n = np.floor(within * _LOG2E + np.float32(0.5))
    r = within - n * _HIGH - n * _LOW
    f1, f2, f3, f4, f5, f6, f7 = _FACTORS
    p = np.float32(1) + r * (f1 + r * (f2 + r * (f3 + r * (f4 + r * (f5 + r * (f6 + r * f7))))))
    result = p * _as_float((np.int32(n) + np.int32(127)) << np.int32(23))
    if x < _LEAST:
        return np.float32(0)
    return result if x == x else x
