"""The innermost part of a convolution: a tile of outputs, from the first product to the last function of them.

A tile has some filters for its rows, and for its columns outputs that lie one behind the other in an image that is laid
out so that each tap of a filter finds its pixel at one distance from all of them (see filter_images.py). So no columns
of pixels are laid out, and the sums are written once: with bias, another blob's values added, and ReLU taken.

Emitted as vectors, as micro_kernel.py does it.
Source: Goto and van de Geijn (2008), as there; Georganas et al., Anatomy of High-Performance Deep Learning
Convolutions on SIMD Architectures (2018), for what is done while the tile is in registers.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.bent import emit_bent
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.micro_kernel import ROWS
from caffe_compat.layers.kernels.vectors import LANES, Vectors

WIDE = 8  # vectors in a row of the tile of one filter, which has no other sums to wait for; the others have VECTORS
STEP_COST = 0.5  # what a tile does for each number of its filters besides the products, in rows
OVER = 1 << LANES  # see `filter_tile`
AHEAD = 1024  # numbers of filters that are asked for before they are read
RARE = 1.02  # the least that another height has to save: each is compiled by itself


class _Tile:
    """Emits one size of tile; its values are those of `filter_tile`."""

    def __init__(self, builder: ir.IRBuilder, rows: int, vectors: int):
        self._builder, self._v, self._rows, self._vectors = builder, Vectors(builder), rows, vectors

    def sums(self, depth, offsets, a, b, starts) -> list[list[ir.Value]]:
        builder, v = self._builder, self._v
        i64 = ir.IntType(64)
        pixels = [builder.gep(b, [builder.load(builder.gep(starts, [i64(j)]))]) for j in range(self._vectors)]
        sums = [
            [cgutils.alloca_once(builder, v.kind) for _ in range(self._vectors)] for _ in range(self._rows)
        ]
        for total in (total for row in sums for total in row):
            builder.store(v.zero, total)
        with cgutils.for_range(builder, depth) as loop:
            left = builder.gep(a, [builder.mul(loop.index, i64(self._rows))])
            right = builder.load(builder.gep(offsets, [loop.index]))
            factors = [v.read(place, right) for place in pixels]
            v.ask_for(left, i64(AHEAD))
            for r, row in enumerate(sums):
                value = v.spread(builder.load(builder.gep(left, [i64(r)])))
                for total, factor in zip(row, factors, strict=True):
                    builder.store(v.plus_product(builder.load(total), value, factor), total)
        return [[builder.load(total) for total in row] for row in sums]

    def finish(self, sums, rows, bias, slope, limit, no_address, added, out, pitch, masks) -> None:
        """Write the rows that there are, of them the columns that count, one behind the other."""
        builder, v = self._builder, self._v
        i64 = ir.IntType(64)
        full = ir.Constant(i64, (1 << LANES) - 1)
        given = [builder.load(builder.gep(masks, [i64(j)])) for j in range(self._vectors)]
        bits = [builder.and_(one, full) for one in given]
        all_count = full
        for one in bits:
            all_count = builder.and_(all_count, one)
        most = v.spread(limit)
        with builder.if_else(builder.icmp_unsigned("==", all_count, full)) as (whole, partly):
            with whole:
                starts = [i64(LANES * j) for j in range(self._vectors)]
                for r, row in enumerate(sums):
                    with builder.if_then(builder.icmp_signed(">", rows, i64(r))):
                        self._write(i64(r), row, bias, slope, most, no_address, added, out, pitch, starts)
            with partly:  # in a loop, since it is rarer, and compiled sooner
                counts = [builder.ctpop(one) for one in bits]
                more = [builder.icmp_signed("!=", one, two) for one, two in zip(given, bits, strict=True)]
                lanes = [
                    v.inside(i64(0), builder.select(whole, i64(LANES), count))
                    for whole, count in zip(more, counts, strict=True)
                ]
                starts = [i64(0)]
                for count in counts[:-1]:
                    starts.append(builder.add(starts[-1], count))
                memory = cgutils.alloca_once(builder, v.kind, i64(self._rows * self._vectors))
                for place, total in enumerate(total for row in sums for total in row):
                    builder.store(total, builder.gep(memory, [i64(place)]))
                with cgutils.for_range(builder, rows) as line:
                    first = builder.mul(line.index, i64(self._vectors))
                    row = [
                        v.compress(builder.load(builder.gep(memory, [builder.add(first, i64(j))])), one)
                        for j, one in enumerate(bits)
                    ]
                    self._write(
                        line.index, row, bias, slope, most, no_address, added, out, pitch, starts, lanes
                    )

    def _write(self, r, row, bias, slope, most, no_address, added, out, pitch, starts, lanes=()) -> None:
        """Write row r from its sums, each at its place, all of it or `lanes`."""
        builder, v = self._builder, self._v
        below = v.spread(builder.load(builder.gep(slope, [r])))
        term = v.spread(builder.load(builder.gep(bias, [r])))
        for j, total in enumerate(row):
            place = builder.add(builder.mul(pitch, r), starts[j])
            mask = lanes[j] if lanes else None
            value = self._plus(builder.fadd(total, term), no_address, added, place, mask)
            value = emit_bent(v, value, below, most)
            v.write(value, out, place, mask)

    def _plus(self, value, no_address, added, place, mask):
        """value, or its sum with what stands at the place of another blob."""
        builder, v = self._builder, self._v
        before = builder.block
        with builder.if_then(builder.not_(no_address)):
            total = builder.fadd(value, v.read(added, place, mask))
            inside = builder.block
        result = builder.phi(v.kind)
        result.add_incoming(value, before)
        result.add_incoming(total, inside)
        return result


def _emit(
    typingctx, rows, vectors, count, depth, offsets, a, b, starts, bias, slope, limit, added, out, pitch, masks,
    panels, b_step, starts_step, places,
):  # fmt: skip
    """Emit tiles of a size that the compiler knows (numba hands over types here, LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        count, depth, offsets, a, b, starts, bias, slope, limit, added, out, pitch, masks = args[2:15]
        panels, b_step, starts_step, places = args[15:]
        word, real = ir.IntType(64).as_pointer(), ir.FloatType().as_pointer()
        offsets, starts, masks, places = (builder.inttoptr(x, word) for x in (offsets, starts, masks, places))
        a, b, bias, slope, added, out = (builder.inttoptr(x, real) for x in (a, b, bias, slope, added, out))
        tile, per_panel = _Tile(builder, rows.literal_value, vectors.literal_value), vectors.literal_value
        no_address = builder.icmp_unsigned("==", builder.ptrtoint(added, ir.IntType(64)), ir.IntType(64)(0))
        with cgutils.for_range(builder, panels) as panel:
            at = partial(_at, builder, panel.index)
            sums = tile.sums(depth, offsets, a, at(b, b_step), at(starts, starts_step))
            place = builder.load(builder.gep(places, [panel.index]))
            added_there, out_there = (builder.gep(base, [place]) for base in (added, out))
            bits = at(masks, ir.IntType(64)(per_panel))
            tile.finish(sums, count, bias, slope, limit, no_address, added_there, out_there, pitch, bits)
        return context.get_dummy_value()

    return types.void(rows, vectors, *TILE.args), codegen


def _at(builder: ir.IRBuilder, index: ir.Value, base: ir.Value, step: ir.Value) -> ir.Value:
    return builder.gep(base, [builder.mul(index, step)])


_tiles: Any = intrinsic(prefer_literal=True)(_emit)
# count, depth, offsets, a, b, starts, bias, slope, limit, added, out, pitch, masks, panels, b_step, starts_step, places
TILE = types.void(*[types.int64] * 8, types.float32, *[types.int64] * 8)


@cache
def filter_tile(rows: int, vectors: int) -> Callee:
    """The function for tiles of so many filters by vectors * LANES outputs, out = f(a b + bias + added), one for each
    panel of outputs.

    f is that of bent.py. Its arguments (TILE) are addresses of arrays that the caller holds, but for sizes (int64) and
    limit (float32): count, of the rows that are written; depth, of each sum; offsets, int64, how far behind an output
    each number's pixel lies; a, depth x rows, the filters; b, the laid-out band; starts, int64, where in the band each
    vector of outputs begins; bias and slope, one a row; added, like out, or 0; out, whose rows are pitch apart; masks,
    int64, one a vector: a bit for each column that counts, and OVER where something may be written behind them, which
    is the faster. Those of a row are written one behind the other. Panels lie b_step numbers of b, and starts_step of
    starts, apart; places, int64: where in out each begins.
    """

    def tiles(
        count, depth, offsets, a, b, starts, bias, slope, limit, added, out, pitch, masks, panels, b_step,
        starts_step, places,
    ):  # fmt: skip
        _tiles(
            rows, vectors, count, depth, offsets, a, b, starts, bias, slope, limit, added, out, pitch, masks,
            panels, b_step, starts_step, places,
        )  # fmt: skip

    return Callee(TILE, tiles)


def tile_height(outputs: int, parts: int = 1) -> int:
    """The rows of the tiles that so many filters, shared by threads, are cut into: those that take the fewest steps."""

    def cost(rows: int) -> tuple[float, int]:
        rare = rows % 4 and rows not in (1, ROWS)
        return -(-outputs // (rows * parts)) * (rows + STEP_COST) * (RARE if rare else 1), -rows

    return min(range(1, ROWS + 1), key=cost)
