"""Squares of LANES x LANES numbers transposed in the processor's registers: how rows become panels."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.vectors import LANES, Vectors


def transposed(vectors: Vectors, rows: list[ir.Value]) -> list[ir.Value]:
    """Emit log2(LANES) steps that each exchange halves, quarters and so on of pairs of rows."""
    i32 = ir.IntType(32)

    def chosen(one: ir.Value, other: ir.Value, places: list[int]) -> ir.Value:
        mask = ir.Constant(ir.VectorType(i32, LANES), places)
        return vectors.builder.shuffle_vector(one, other, mask)

    rows, step = list(rows), 1
    while step < LANES:
        low = [lane if not lane & step else LANES + lane - step for lane in range(LANES)]
        high = [lane + step if not lane & step else LANES + lane for lane in range(LANES)]
        for k in (k for k in range(LANES) if not k & step):
            pair = rows[k], rows[k + step]
            rows[k], rows[k + step] = chosen(*pair, low), chosen(*pair, high)
        step *= 2
    return rows


def _emit(typingctx, sources, offset, targets, target_offset):
    """Emit one square (numba hands over types here, and LLVM values to `codegen`)."""
    i64 = types.int64
    signature = types.void(i64, i64, i64, i64)

    def codegen(context, builder, signature, args):
        sources, offset, targets, target_offset = args
        vectors, i64 = Vectors(builder), ir.IntType(64)

        def address(table, k):
            return vectors.pointer(
                builder.load(builder.gep(builder.inttoptr(table, i64.as_pointer()), [i64(k)]))
            )

        rows = [vectors.read(address(sources, k), offset) for k in range(LANES)]
        for k, row in enumerate(transposed(vectors, rows)):
            vectors.write(row, address(targets, k), target_offset)
        return context.get_dummy_value()

    return signature, codegen


def _emit_turn(typingctx, source, source_step, count, columns, target, target_step):
    """Emit the loops over squares (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        source, source_step, count, columns, target, target_step = args
        vectors, i64 = Vectors(builder), ir.IntType(64)
        source, target = vectors.pointer(source), vectors.pointer(target)

        def squares(size: ir.Value) -> ir.Value:
            return builder.sdiv(builder.add(size, i64(LANES - 1)), i64(LANES))

        with (
            cgutils.for_range(builder, squares(columns)) as across,
            cgutils.for_range(builder, squares(count)) as down,
        ):
            row, column = (builder.mul(loop.index, i64(LANES)) for loop in (down, across))
            begin = builder.add(builder.mul(row, source_step), column)
            end = builder.add(builder.mul(column, target_step), row)
            steps = [
                (builder.mul(source_step, i64(k)), builder.mul(target_step, i64(k))) for k in range(LANES)
            ]
            rows = [vectors.read(source, builder.add(begin, step)) for step, _ in steps]
            for turned, (_, step) in zip(transposed(vectors, rows), steps, strict=True):
                vectors.write(turned, target, builder.add(end, step))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6), codegen


# transpose(sources, offset, targets, target_offset): number r of target k = number k of source r, for LANES sources,
# read from `offset` on, and LANES targets, written from `target_offset` on, one after the other. sources and targets:
# addresses of LANES int64 addresses each; offsets count float32s.
transpose: Any = intrinsic(_emit)

# turn(source, source_step, count, columns, target, target_step): target (columns x count, rows target_step apart) = the
# transpose of source (count x columns, rows source_step apart), in whole squares: what lies beyond is read, and written
turn: Any = intrinsic(_emit_turn)
