"""Panels of bfloat16 parts (see tile_registers.py): how float32 factors are laid out for the processor's tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.tile_registers import PARTS, SIDE, STEP, STEP_BYTES, TILE, TILE_BYTES
from caffe_compat.layers.kernels.transpose import transposed
from caffe_compat.layers.kernels.vectors import LANES, Vectors

_I16, _I32, _WORD = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_BITS, _HALVES = ir.VectorType(_I32, LANES), ir.VectorType(_I16, 2 * LANES)
_UPPER_HALVES = ir.Constant(ir.VectorType(_I32, 2 * LANES), list(range(1, 4 * LANES, 2)))
PAIR = 4  # bytes of two numbers
_PART = 2 * TILE_BYTES // FLOAT  # how far apart the parts of a number lie


def _every(bits: int) -> ir.Constant:
    return ir.Constant(_BITS, [bits] * LANES)


_UPPER = _every(0xFFFF0000)


def _parts(v: Vectors, x: ir.Value) -> list[ir.Value]:
    """The bits of the three bfloat16 whose sum each number is, in the upper halves: the largest first.

    Each is the nearest one to what is left, so what the products leave out has either sign.
    """
    parts = []
    for _ in range(PARTS - 1):
        rounded = v.builder.add(v.builder.bitcast(x, _BITS), _every(0x8000))
        parts.append(v.builder.and_(rounded, _UPPER))
        x = v.builder.fsub(x, v.builder.bitcast(parts[-1], v.kind))
    return [*parts, v.builder.and_(v.builder.bitcast(x, _BITS), _UPPER)]


def _infinite(v: Vectors, numbers: Sequence[ir.Value]) -> ir.Value:
    """Not 0 where one of the numbers is infinite, or its first part is."""
    found = _WORD(0)
    for x in numbers:
        size = v.builder.and_(v.builder.bitcast(x, _BITS), _every(0x7FFFFFFF))
        below = v.builder.sub(_every(0x7F800000), size)  # wraps round for NaN
        are = v.builder.icmp_unsigned("<=", below, _every(0x8000))
        found = v.builder.or_(found, v.builder.zext(v.builder.bitcast(are, _I16), _WORD))
    return found


def _write_parts(v: Vectors, parts: Sequence[ir.Value], target: ir.Value) -> None:
    for i, part in enumerate(parts):
        v.write(v.builder.bitcast(part, v.kind), target, _WORD(_PART * i))


def _emit_along(typingctx, source, count, target):
    """Emit the parts of STEP numbers (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        v, (source, count, target) = Vectors(builder), args
        source, target = v.pointer(source), v.pointer(target)
        halves = []
        for begin in (0, LANES):
            halves.append(v.read(source, _WORD(begin), v.inside(_WORD(begin), count)))
        pairs = []
        for x, y in zip(*(_parts(v, half) for half in halves), strict=True):
            numbers = (builder.bitcast(one, _HALVES) for one in (x, y))
            pairs.append(builder.shuffle_vector(*numbers, _UPPER_HALVES))
        _write_parts(v, pairs, target)
        return _infinite(v, halves)

    return types.int64(*[types.int64] * 3), codegen


def _emit_across(typingctx, source, pitch, rows, count, target):
    """Emit the parts of two rows (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        v, (source, pitch, rows, count, target) = Vectors(builder), args
        source, target = v.pointer(source), v.pointer(target)
        second = builder.select(builder.icmp_signed(">", rows, _WORD(1)), count, _WORD(0))
        first = builder.select(builder.icmp_signed(">", rows, _WORD(0)), count, _WORD(0))
        x = v.read(source, _WORD(0), v.inside(_WORD(0), first))
        y = v.read(source, pitch, v.inside(_WORD(0), second))
        pairs = [
            builder.or_(builder.lshr(one, _every(16)), builder.and_(other, _UPPER))
            for one, other in zip(_parts(v, x), _parts(v, y), strict=True)
        ]
        _write_parts(v, pairs, target)
        return _infinite(v, (x, y))

    return types.int64(*[types.int64] * 5), codegen


def _emit_turn(typingctx, tile):
    """Emit the square (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        v = Vectors(builder)
        tile = v.pointer(args[0])
        rows = transposed(v, [v.read(tile, _WORD(LANES * i)) for i in range(TILE)])
        for i, row in enumerate(rows):
            v.write(row, tile, _WORD(LANES * i))
        return context.get_dummy_value()

    return types.void(types.int64), codegen


_along: Any = intrinsic(_emit_along)  # (source, count, target): of a row; returns whether one is infinite
_across: Any = intrinsic(_emit_across)  # (source, pitch, rows, count, target): of LANES columns of two rows
_turn: Any = intrinsic(_emit_turn)  # (tile): pairs of numbers change places across its diagonal


@piece(forceinline=True)
def _place(i, panels, panel_bytes):
    """The tile of row or column i, whatever the step and the part."""
    return panels + i // SIDE * panel_bytes + i % SIDE // TILE * TILE_BYTES


@piece()
def lay_out_row(source, depth, row):
    """Row i of the tile at `row` - 64 i = `depth` numbers that are summed up. Returns whether one is infinite."""
    infinite = 0
    for step in range(-(-depth // STEP)):
        infinite |= _along(source + FLOAT * STEP * step, depth - STEP * step, row + STEP_BYTES * step)
    return infinite


@piece()
def lay_out_along(source, pitch, depth, count, turned, panels, panel_bytes):
    """panels = `count` rows of `depth` numbers that are summed up. Returns whether one is infinite.

    turned: of the right factor, whose columns they are. source, panels: addresses; panels lie panel_bytes apart.
    """
    infinite = 0
    for r in range(count):
        row = _place(r, panels, panel_bytes) + PAIR * TILE * (r % TILE)
        infinite |= lay_out_row(source + FLOAT * r * pitch, depth, row)
    if turned:
        turn_tiles(count, -(-depth // STEP), panels, panel_bytes)
    return infinite


@piece(forceinline=True)
def lay_out_pair(source, pitch, k, depth, count, column, panels, panel_bytes):
    """Of TILE columns from `column` on, `count` of them, the products k and k + 1 of `depth`. Returns whether a number
    is infinite."""
    place = _place(column, panels, panel_bytes) + k // STEP * STEP_BYTES + PAIR * TILE * (k % STEP // 2)
    return _across(source, pitch, depth - k, count, place)


@piece()
def lay_out_across(source, pitch, depth, count, turned, panels, panel_bytes):
    """panels = `count` columns of `depth` numbers that are summed up. Returns whether one is infinite.

    turned: of the left factor, whose rows they are. source, panels: addresses; panels lie panel_bytes apart.
    """
    infinite, steps = 0, -(-depth // STEP)
    for k in range(0, STEP * steps, 2):
        for c in range(0, count, TILE):
            place = source + FLOAT * (k * pitch + c)
            infinite |= lay_out_pair(place, pitch, k, depth, count - c, c, panels, panel_bytes)
    if turned:
        turn_tiles(count, steps, panels, panel_bytes)
    return infinite


@piece()
def turn_tiles(count, steps, panels, panel_bytes):
    """Panels of so many rows become panels of as many columns, or the other way round."""
    for begin in range(0, count, TILE):
        for step in range(steps):
            for part in range(PARTS):
                place = _place(begin, panels, panel_bytes) + STEP_BYTES * step
                _turn(place + 2 * TILE_BYTES * part)
