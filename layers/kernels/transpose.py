"""A square of LANES x LANES numbers transposed in the processor's registers: how rows become panels."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from caffe_compat.layers.kernels.vectors import LANES, Vectors


def _emit(typingctx, sources, offset, targets, target_offset):
    """Emit log2(LANES) steps that each exchange halves, quarters and so on of pairs of rows."""
    i64 = types.int64
    signature = types.void(i64, i64, i64, i64)

    def codegen(context, builder, signature, args):
        sources, offset, targets, target_offset = args
        vectors, i32, i64 = Vectors(builder), ir.IntType(32), ir.IntType(64)

        def address(table, k):
            return vectors.pointer(
                builder.load(builder.gep(builder.inttoptr(table, i64.as_pointer()), [i64(k)]))
            )

        def chosen(one, other, places):
            mask = ir.Constant(ir.VectorType(i32, LANES), places)
            return builder.shuffle_vector(one, other, mask)

        rows = [vectors.read(address(sources, k), offset) for k in range(LANES)]
        step = 1
        while step < LANES:
            low = [lane if not lane & step else LANES + lane - step for lane in range(LANES)]
            high = [lane + step if not lane & step else LANES + lane for lane in range(LANES)]
            for k in (k for k in range(LANES) if not k & step):
                pair = rows[k], rows[k + step]
                rows[k], rows[k + step] = chosen(*pair, low), chosen(*pair, high)
            step *= 2
        for k, row in enumerate(rows):
            vectors.write(row, address(targets, k), target_offset)
        return context.get_dummy_value()

    return signature, codegen


# transpose(sources, offset, targets, target_offset): number r of target k = number k of source r, for LANES sources,
# read from `offset` on, and LANES targets, written from `target_offset` on, one after the other. sources and targets:
# addresses of LANES int64 addresses each; offsets count float32s.
transpose: Any = intrinsic(_emit)
