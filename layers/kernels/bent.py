"""What ReLU and its like do to a number x: max(x, 0) + slope min(x, 0), but limit at most.

It stands here twice: loops call it, and what is emitted as vectors emits it.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit

from caffe_compat.layers.kernels.vectors import Vectors


@njit(error_model="numpy", inline="always")
def bent(x, slope, limit):
    """Of one number."""
    return min(max(x, np.float32(0)) + slope * min(x, np.float32(0)), limit)


def emit_bent(vectors: Vectors, x: ir.Value, slope: ir.Value, limit: ir.Value) -> ir.Value:
    """Of a vector, with one slope and one limit a lane; NaN stays NaN."""
    builder, zero = vectors.builder, vectors.zero
    positive = builder.select(builder.fcmp_ordered(">", zero, x), zero, x)
    negative = builder.select(builder.fcmp_ordered("<", zero, x), zero, x)
    result = builder.fadd(positive, builder.fmul(slope, negative))
    return builder.select(builder.fcmp_ordered("<", limit, result), limit, result)
