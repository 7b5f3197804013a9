"""Intel's tile registers (AMX): products of bfloat16 tiles, many times as fast as vectors, added up to float32 numbers.

A float32 is the sum of PARTS bfloat16, which have 8 of its 24 bits each. Of the nine products of two such sums the six
larger ones are added up; the other three are less than what float32 rounds off. Numbers below 2^-110 lose bits, and
sums below 2^-126 are 0. A panel holds the parts of SIDE rows, or columns, of a factor: for each STEP of products, part
by part, two tiles of TILE rows of 64 bytes. In a tile of the left factor a row has STEP numbers of a row; in one of the
right factor a row has two numbers of TILE columns each.

Source: Henry, Tang and Heinecke, Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision
Computations (2019); Intel's Instruction Set Extensions Programming Reference, TDPBF16PS.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT
from caffe_compat.layers.kernels.vectors import FEATURES, LANES, Vectors

PARTS, TILE, STEP = 3, 16, 32
SIDE = 2 * TILE  # of a square of sums, in four registers; the other four hold factors
TILE_BYTES = 1024
STEP_BYTES = PARTS * 2 * TILE_BYTES  # of a panel
_ARCH_PRCTL, _ASK, _TILE_DATA = 158, 0x1023, 18  # of Linux on x86-64: ask for the use of tiles


def panel_numbers(depth: int) -> int:
    """The memory of a panel of so many products, in float32."""
    return -(-depth // STEP) * STEP_BYTES // FLOAT


def _may() -> bool:
    """Whether the processor has tile registers, and the system lets this process use them once it has asked."""
    if not {"amx-tile", "amx-bf16"} <= FEATURES or LANES != TILE or not sys.platform.startswith("linux"):
        return False
    return ctypes.CDLL(None).syscall(_ARCH_PRCTL, _ASK, _TILE_DATA) == 0


AVAILABLE = _may()
_BYTE, _WORD = ir.IntType(8), ir.IntType(64)
_POINTER = _BYTE.as_pointer()


def _call(builder: ir.IRBuilder, name: str, *args: ir.Value) -> None:
    kind = ir.FunctionType(ir.VoidType(), [arg.type for arg in args])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}"), args)


def _emit_configure(typingctx):
    """Emit the configuration: eight tiles of TILE rows of 64 bytes."""

    def codegen(context, builder, signature, args):
        head, widths, heights = [1, *[0] * 15], [*[64, 0] * 8, *[0] * 16], [*[TILE] * 8, *[0] * 8]
        values = cgutils.global_constant(
            builder, "tiles", ir.Constant(ir.ArrayType(_BYTE, 64), head + widths + heights)
        )
        _call(builder, "ldtilecfg", builder.bitcast(values, _POINTER))
        return context.get_dummy_value()

    return types.void(), codegen


def _emit_release(typingctx):
    """Emit the end of the use of tiles."""

    def codegen(context, builder, signature, args):
        _call(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), codegen


def _emit_multiply(typingctx, rows, columns, steps, a, b, c, ldc):
    """Emit the loop over steps (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        steps, a, b, c, ldc = args[2:]
        v = Vectors(builder)
        numbers = v.pointer(c)
        a, b, c = (builder.inttoptr(address, _POINTER) for address in (a, b, c))
        down, across = range(rows.literal_value), range(columns.literal_value)
        row = builder.mul(ldc, _WORD(4))

        def place(i: int, j: int) -> ir.Value:
            return builder.gep(c, [builder.add(builder.mul(row, _WORD(TILE * i)), _WORD(64 * j))])

        for i, j in ((i, j) for i in down for j in across):
            _call(builder, "tilezero", _BYTE(2 * i + j))
        for i in range(TILE * len(down)):
            for j in across:  # so that the lines are there when they are written
                v.ask_for(numbers, builder.add(builder.mul(ldc, _WORD(i)), _WORD(TILE * j)), write=True)
        with cgutils.for_range(builder, steps) as loop:
            begin = builder.mul(loop.index, _WORD(STEP_BYTES))

            def read(register: int, base: ir.Value, part: int, tile: int) -> None:
                at = builder.gep(base, [builder.add(begin, _WORD((2 * part + tile) * TILE_BYTES))])
                _call(builder, "tileloadd64", _BYTE(register), at, _WORD(64))

            def multiply(i: int, j: int) -> None:
                _call(builder, "tdpbf16ps", _BYTE(2 * i + j), _BYTE(4 + i), _BYTE(6 + j))

            def left(part: int) -> None:
                for i in down:
                    read(4 + i, a, part, i)
                    for j in across:
                        multiply(i, j)

            def right(part: int) -> None:
                for j in across:
                    read(6 + j, b, part, j)
                    for i in down:
                        multiply(i, j)

            for j in across:
                read(6 + j, b, 0, j)
            left(2)  # each following product needs other tiles of one factor only
            left(1)
            right(1)
            left(0)
            right(2)
            right(0)
        for i, j in ((i, j) for i in down for j in across):
            _call(builder, "tilestored64", _BYTE(2 * i + j), place(i, j), row)
        return context.get_dummy_value()

    return types.void(rows, columns, *[types.int64] * 5), codegen


# configure(): before a thread uses tiles; release(): when it no longer does
configure: Any = intrinsic(_emit_configure)
release: Any = intrinsic(_emit_release)
# multiply(rows, columns, steps, a, b, c, ldc): c (float32, rows ldc apart) = a b, of the first tiles of two panels.
# rows, columns: 1 or 2 tiles, numbers that the compiler knows. a, b, c: addresses of arrays that the caller holds
multiply: Any = intrinsic(prefer_literal=True)(_emit_multiply)
