"""The innermost product of matrices: one tile of sums that stays in the processor's registers.

Emitted as LLVM vectors of this processor's width, since loops as numba compiles them do not keep so many sums in
registers. Both factors are read from panels: what takes part in the k-th product of a tile lies together. A panel of
a left factor has ROWS numbers for each k, one of a right factor COLUMNS.

Source: Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication (2008); Van Zee and van de Geijn,
BLIS (2015), whose micro-kernel and micro-panels these are.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.vectors import LANES, Vectors

# rows of a tile and vectors in a row: as many sums as there are registers for. There are at most as many rows as
# numbers in a vector, so that one write fills a row of a panel
ROWS, VECTORS = {16: 14, 8: 6, 4: 4}[LANES], 2
COLUMNS = LANES * VECTORS
AHEAD = 512  # numbers of the right factor that are asked for before they are read
SLACK = LANES - ROWS  # numbers that such a write goes too far; the next one takes their place


def _emit(typingctx, k, a, b, c, ldc, add):
    """Emit the loop over k (numba hands over types here, and LLVM values to `codegen`)."""
    i64 = types.int64
    signature = types.void(i64, i64, i64, i64, i64, types.boolean)

    def codegen(context, builder, signature, args):
        k, a, b, c, ldc, add = args
        vectors, i64 = Vectors(builder), ir.IntType(64)
        a, b, c = (vectors.pointer(address) for address in (a, b, c))
        sums = [[cgutils.alloca_once(builder, vectors.kind) for _ in range(VECTORS)] for _ in range(ROWS)]
        for total in (total for row in sums for total in row):
            builder.store(vectors.zero, total)
        with cgutils.for_range(builder, k) as loop:
            left = builder.gep(a, [builder.mul(loop.index, i64(ROWS))])
            right = builder.mul(loop.index, i64(COLUMNS))
            factors = [vectors.read(b, builder.add(right, i64(LANES * j))) for j in range(VECTORS)]
            for j in range(VECTORS):
                vectors.ask_for(b, builder.add(right, i64(AHEAD + LANES * j)))
            for r, row in enumerate(sums):
                value = vectors.spread(builder.load(builder.gep(left, [i64(r)])))
                for total, factor in zip(row, factors, strict=True):
                    builder.store(vectors.plus_product(builder.load(total), value, factor), total)
        for r, row in enumerate(sums):
            for j, total in enumerate(row):
                place = builder.add(builder.mul(ldc, i64(r)), i64(LANES * j))
                before = builder.select(add, vectors.read(c, place), vectors.zero)
                vectors.write(builder.fadd(builder.load(total), before), c, place)
        return context.get_dummy_value()

    return signature, codegen


# multiply(k, a, b, c, ldc, add): c (ROWS x COLUMNS float32, rows ldc apart) = a b, or c + a b where `add` is true. a:
# k x ROWS, b: k x COLUMNS, panels. a, b, c: addresses (array.ctypes.data) of arrays that the kernel's caller holds; k
# and ldc int64. Typed Any, since mypy would ask for the typing context in every call.
multiply: Any = intrinsic(_emit)
