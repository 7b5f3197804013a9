"""Products of matrices of which the left one has many zeros, as Dropout and ReLU leave them: those are left out.

Some rows of the left factor at a time are written down without their zeros, in blocks of a few columns; the right
factor is laid out in panels of as many rows, which stay in the first cache. Each number that is left is multiplied with
its row of a panel, and the sums of a row of the panel stay in the processor's registers.

Source: Gustavson, Two Fast Algorithms for Sparse Matrices (1978), for the order of the products.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels import tile_products
from caffe_compat.layers.kernels.addresses import FLOAT, floats
from caffe_compat.layers.kernels.blas import gemm
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.products import columns_to_panels, rows_to_panels
from caffe_compat.layers.kernels.scratch import scratch_parts
from caffe_compat.layers.kernels.shared import share_of, shared
from caffe_compat.layers.kernels.sum_tile import WIDTH
from caffe_compat.layers.kernels.vectors import LANES, Vectors

PANELS = 4  # that are laid out at a time: as many columns as have sums in registers
DEPTH = 64  # rows of a panel, so that all fit into the first cache
ROWS = 256  # of the left factor at a time, whose sums stay in the second one
COLUMNS = PANELS * WIDTH


def _emit(typingctx, count, values, places, panels, pitch, sums, add):
    """Emit the sums of COLUMNS columns (numba hands over types here, LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        count, values, places, panels, pitch, sums, add = args
        v, i64 = Vectors(builder), ir.IntType(64)
        places = builder.inttoptr(places, ir.IntType(32).as_pointer())
        values, panels, sums = (v.pointer(address) for address in (values, panels, sums))
        starts = [builder.gep(panels, [builder.mul(pitch, i64(p))]) for p in range(PANELS)]
        totals = [cgutils.alloca_once(builder, v.kind) for _ in range(2 * PANELS)]
        for j, total in enumerate(totals):
            before = v.read(sums, i64(LANES * j))
            builder.store(builder.select(add, before, v.zero), total)
        with cgutils.for_range(builder, count) as loop:
            value = v.spread(builder.load(builder.gep(values, [loop.index])))
            place = builder.sext(builder.load(builder.gep(places, [loop.index])), i64)
            for j, total in enumerate(totals):
                factor = v.read(starts[j // 2], builder.add(place, i64(j % 2 * LANES)))
                builder.store(v.plus_product(builder.load(total), value, factor), total)
        for j, total in enumerate(totals):
            v.write(builder.load(total), sums, i64(LANES * j))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6, types.boolean), codegen


_sum_kept: Any = intrinsic(_emit)


@piece()
def _keep(a, everything, values, places, counts):
    """What of each row of a is not 0, or everything, by blocks of DEPTH columns. For each block and row: in `values`
    these numbers, in `places` where their rows begin in a panel, in `counts` how many."""
    for r in range(len(a)):
        for block in range(len(counts)):
            row = a[r, block * DEPTH : (block + 1) * DEPTH]
            value, place, kept = values[block, r], places[block, r], 0
            for k in range(len(row)):
                value[kept] = row[k]
                place[kept] = k * WIDTH
                kept += np.int64(everything or row[k] != 0)
            counts[block, r] = kept


@piece(fastmath={"reassoc"})
def _nothing(numbers):
    """0 where all numbers are finite, else NaN."""
    total = np.float32(0)
    for i in range(numbers.size):
        total += numbers[i] * np.float32(0)
    return total


@piece()
def _sum_columns(low, some, depth, b, ldb, trans_b, values, places, counts, panels, sums):
    """sums (rows x COLUMNS) = what was kept of rows, times `some` columns of op(b) from `low` on; returns NaN where one
    of these numbers is not finite, else 0."""
    pitch, wrong = panels.strides[0] // FLOAT, np.float32(0)
    for block in range(len(counts)):
        first = block * DEPTH
        deep = min(DEPTH, depth - first)
        if trans_b:
            columns_to_panels(b + FLOAT * (low * ldb + first), ldb, deep, some, panels)
        else:
            rows_to_panels(b + FLOAT * (first * ldb + low), ldb, deep, some, panels)
        for p in range(-(-some // WIDTH)):
            wrong += _nothing(panels[p, :deep].reshape(-1))
        for r in range(len(sums)):
            _sum_kept(
                counts[block, r], values[block, r].ctypes.data, places[block, r].ctypes.data,
                panels.ctypes.data, pitch, sums[r].ctypes.data, block > 0,
            )  # fmt: skip
    return wrong


@piece()
def _write(sums, add, line):
    """line = sums, or itself and them."""
    if add:
        for c in range(len(line)):
            line[c] += sums[c]
    else:
        for c in range(len(line)):
            line[c] = sums[c]


@shared()
def _multiply(a, b, ldb, trans_b, add, out, n, cuts, values, places, counts, panels, sums, part, parts):
    """Cut into parts along the rows and the columns, one a thread, which has scratch of its own: values, places (blocks
    x ROWS x DEPTH), counts (blocks x ROWS), panels (PANELS x DEPTH + 1 x WIDTH) and sums (ROWS x COLUMNS)."""
    m, depth = a.shape
    columns = -(-n // COLUMNS)
    for job in range(*share_of(cuts[0] * cuts[1], part, parts)):
        i, j = job // cuts[1], job % cuts[1]
        panels[job][:] = np.float32(0)
        end = m * (i + 1) // cuts[0]
        for first in range(m * i // cuts[0], end, ROWS):
            some = a[first : min(first + ROWS, end)]
            _keep(some, False, values[job], places[job], counts[job])
            for column in range(columns * j // cuts[1], columns * (j + 1) // cuts[1]):
                low = column * COLUMNS
                wide, total = min(COLUMNS, n - low), sums[job, : len(some)]
                wrong = _sum_columns(
                    low, wide, depth, b, ldb, trans_b, values[job], places[job], counts[job], panels[job], total
                )  # fmt: skip
                if np.isnan(wrong):
                    _keep(some, True, values[job], places[job], counts[job])
                    _sum_columns(
                        low, wide, depth, b, ldb, trans_b, values[job], places[job], counts[job], panels[job],
                        total,
                    )  # fmt: skip
                for r in range(len(some)):
                    _write(total[r], add, floats(out + FLOAT * ((first + r) * n + low), wide))


def gemm_sparse(
    a: np.ndarray,
    b: np.ndarray,
    out: np.ndarray,
    trans_a: bool = False,
    trans_b: bool = False,
    beta: float = 0.0,
) -> None:
    """out = op(a) @ op(b) + beta * out, as `gemm` has it, for an `a` most of whose numbers are 0; beta is 0 or 1.

    A zero times a number of b that is not finite is NaN, as in `gemm`.
    """
    fits = all(x.dtype == np.float32 and x.flags.c_contiguous and x.size for x in (a, b, out))
    if not fits or tile_products.pays(
        out.shape[0], out.shape[1], a.size // len(out)
    ):  # tiles take all numbers sooner
        gemm(a, b, out, trans_a, trans_b, beta)
        return
    if trans_a:
        a = np.ascontiguousarray(a.T)
    (m, depth), n = a.shape, out.shape[1]
    threads = numba.get_num_threads()
    along = min(threads, max(1, m // ROWS))
    parts = along, threads // along
    count, rows, blocks = parts[0] * parts[1], min(ROWS, m), -(-depth // DEPTH)
    values, panels, sums = scratch_parts(
        [(count, blocks, rows, DEPTH), (count, PANELS, DEPTH + 1, WIDTH), (count, rows, COLUMNS)],
        np.dtype(np.float32),
        "sparse",
    )
    places, counts = scratch_parts(
        [(count, blocks, rows, DEPTH), (count, blocks, rows)], np.dtype(np.int32), "sparse"
    )
    _multiply(
        a, b.ctypes.data, b.shape[1], trans_b, bool(beta), out.ctypes.data, n, parts,
        values, places, counts, panels, sums,
    )  # fmt: skip
