"""A tile of sums of products that stays in the processor's registers, whose factors lie in larger arrays.

Each row of the tile has a factor of its own for each product, found by an offset; all its columns take part with
factors that lie together. So images need no columns: a window is a row's offsets. Rows come in groups, whose factors
lie one behind the other.

Emitted as vectors, as micro_kernel.py does it. Source: Goto and van de Geijn (2008), as there.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.calls import Callee, caller
from caffe_compat.layers.kernels.micro_kernel import ROWS
from caffe_compat.layers.kernels.vectors import LANES, Vectors

MOST = 8 if ROWS > 8 else ROWS  # rows of a tile; more keep no processor busier
_LESS, _LEAST = MOST - 1, MOST - 2  # the other sizes
WIDTH = 2 * LANES  # columns of a tile


def _emit(
    typingctx, groups, together, vectors, asks, depth, offsets, a, lda, b, c, ldc, add, ahead, ahead_step
):
    """Emit a tile of a size that the compiler knows (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        depth, offsets, a, lda, b, c, ldc, add, ahead, ahead_step = args[4:]
        v, i64 = Vectors(builder), ir.IntType(64)
        offsets = builder.inttoptr(offsets, i64.as_pointer())
        a, b, c, ahead = (v.pointer(address) for address in (a, b, c, ahead))
        places, count = range(vectors.literal_value), groups.literal_value
        steps = [
            builder.mul(lda, i64(group)) for group in range(5)
        ]  # an address each would not fit into registers
        sums = [
            [cgutils.alloca_once(builder, v.kind) for _ in places]
            for _ in range(count * together.literal_value)
        ]
        for total in (total for row in sums for total in row):
            builder.store(v.zero, total)
        with cgutils.for_range(builder, depth) as loop:
            bases = [builder.gep(a, [builder.load(builder.gep(offsets, [loop.index]))])]
            while 4 * len(bases) < count:
                bases.append(builder.gep(bases[-1], [steps[4]]))
            firsts = [builder.gep(bases[group // 4], [steps[group % 4]]) for group in range(count)]
            left = [builder.gep(first, [i64(i)]) for first in firsts for i in range(together.literal_value)]
            right = builder.mul(loop.index, i64(WIDTH))
            factors = [v.read(b, builder.add(right, i64(LANES * j))) for j in places]
            if asks.literal_value:
                v.ask_for(ahead, builder.mul(loop.index, ahead_step))
            for row, place in zip(sums, left, strict=True):
                value = v.spread(builder.load(place))
                for total, factor in zip(row, factors, strict=True):
                    builder.store(v.plus_product(builder.load(total), value, factor), total)
        for r, row in enumerate(sums):
            for j, total in enumerate(row):
                place = builder.add(builder.mul(ldc, i64(r)), i64(LANES * j))
                before = builder.select(add, v.read(c, place), v.zero)
                v.write(builder.fadd(builder.load(total), before), c, place)
        return context.get_dummy_value()

    numbers = [types.int64] * 7
    return types.void(
        groups, together, vectors, asks, *numbers, types.boolean, types.int64, types.int64
    ), codegen


_tile: Any = intrinsic(prefer_literal=True)(_emit)


# depth, offsets, a, lda, b, c, ldc, add; behind them, of a tile that asks: ahead, ahead_step
_TILE, ASKING_TILE = types.void(*[types.int64] * 8), types.void(*[types.int64] * 10)


@cache
def _plain_tile(groups: int, together: int, vectors: int) -> Callee:
    def tile(depth, offsets, a, lda, b, c, ldc, add):
        _tile(groups, together, vectors, 0, depth, offsets, a, lda, b, c, ldc, add != 0, 0, 0)

    return Callee(_TILE, tile)


@cache
def asking_tile(groups: int, together: int, vectors: int) -> Callee:
    """The function of a tile of groups x together rows by vectors * LANES columns (ASKING_TILE).

    c[r, j] = the sum of a[g lda + i + offsets[k]] b[k, j] over k < depth, r = g together + i; added to c where `add` is
    not 0. b: depth x WIDTH; the rows of c are ldc apart. For each k it asks for the line at ahead + k ahead_step, which
    will be read. a, b, c, ahead (float32), offsets (int64): addresses of arrays that the caller holds.
    """

    def tile(depth, offsets, a, lda, b, c, ldc, add, ahead, ahead_step):
        _tile(groups, together, vectors, 1, depth, offsets, a, lda, b, c, ldc, add != 0, ahead, ahead_step)

    return Callee(ASKING_TILE, tile)


def sum_tile(rows: int, columns: int, together: bool) -> tuple[int, int, int]:
    """What `sum_products` takes for a tile of so many rows, as `tile_rows` chooses them, where there are so many
    columns, WIDTH of them a panel: the rows, and functions' addresses for LANES and for WIDTH columns, 0 for none.

    together: its rows' factors lie one behind the other, lda is 1.
    """
    size = (1, rows) if together else (rows, 1)
    last = (columns - 1) % WIDTH + 1
    narrow = _plain_tile(*size, 1).address if last <= LANES else 0
    wide = _plain_tile(*size, 2).address if last > LANES or columns > WIDTH else 0
    return rows, narrow, wide


_call = caller(_TILE)


@njit(error_model="numpy", inline="always")
def sum_products(tile, wide, depth, offsets, a, lda, b, c, ldc, add):
    """c[r, j] = the sum of a[r lda + offsets[k]] b[k, j] over k < depth; added to c where `add` is true.

    tile: see `sum_tile`. wide: WIDTH columns j, else LANES. a, b (depth x WIDTH float32), c (rows ldc apart), offsets
    (int64): addresses of arrays that the caller holds.
    """
    _call(tile[2] if wide else tile[1], (depth, offsets, a, lda, b, c, ldc, np.int64(add)))


def _emit_copy(typingctx, source, target):
    """Emit one read and one write."""

    def codegen(context, builder, signature, args):
        v, start = Vectors(builder), ir.IntType(64)(0)
        source, target = (v.pointer(address) for address in args)
        v.write(v.read(source, start), target, start)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


# copy_vector(source, target): LANES float32 from one address to another. Typed Any, as in micro_kernel.py.
copy_vector: Any = intrinsic(_emit_copy)


def tile_rows(count: int) -> int:
    """The rows of the tiles that so many rows are cut into: those that compute the fewest that nobody needs."""
    return min((MOST, _LESS, _LEAST), key=lambda rows: (-(-count // rows) * rows, -rows))
