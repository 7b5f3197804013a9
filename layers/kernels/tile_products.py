"""Products of matrices in the processor's tile registers: what products.py does by vectors, two to three times as fast.

The right factor is laid out in panels, a block of it at a time that stays in the second cache, the left one a panel at
a time. Where a factor has an infinite number, whose parts would make NaN of it, those panels are multiplied number by
number.
"""

from __future__ import annotations

import numba
import numpy as np

from caffe_compat.layers.kernels.addresses import FLOAT, floats
from caffe_compat.layers.kernels.bfloat16_panels import lay_out_across, lay_out_along
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.scratch import scratch_parts
from caffe_compat.layers.kernels.shared import share_of, shared
from caffe_compat.layers.kernels.tile_registers import (
    AVAILABLE,
    SIDE,
    STEP,
    TILE,
    configure,
    panel_numbers,
    release,
)
from caffe_compat.layers.kernels.tile_registers import multiply as multiply_tiles

DEPTH, PANELS = 512, 16  # products that are summed up at a time, and panels of the right factor: 1.5 MB
LEAST, LEAST_PRODUCTS = 64, 48  # rows and columns, and products, from which laying out pays
NARROW, CACHED = 96, 2**20  # rows from which it pays for a factor of more numbers than a cache holds


def are_enough(m: int, n: int) -> bool:
    """Whether there are tiles, and so many rows and columns fill them."""
    return AVAILABLE and min(m, n) >= LEAST


def pays(m: int, n: int, products: int) -> bool:
    """Whether tiles compute so many rows and columns of sums of so many products sooner than vectors."""
    is_read_fast = min(m, n) >= NARROW or max(m, n) * products <= CACHED
    return are_enough(m, n) and products >= LEAST_PRODUCTS and is_read_fast


@piece()
def _tile_of(rows, columns, steps, left, right, out, pitch):
    if rows > TILE:
        if columns > TILE:
            multiply_tiles(2, 2, steps, left, right, out, pitch)
        else:
            multiply_tiles(2, 1, steps, left, right, out, pitch)
    elif columns > TILE:
        multiply_tiles(1, 2, steps, left, right, out, pitch)
    else:
        multiply_tiles(1, 1, steps, left, right, out, pitch)


@piece()
def multiply_panels(rows, columns, depth, left, right, panel_bytes, add, stage, out, pitch):
    """out (rows x columns, pitch apart) = a panel of rows times panels of so many columns; added where `add` is true.

    stage: SIDE x SIDE float32. left, right, out: addresses.
    """
    for begin in range(0, columns, SIDE):
        place, some, end = (
            right + begin // SIDE * panel_bytes,
            min(SIDE, columns - begin),
            out + FLOAT * begin,
        )
        is_direct = not add and rows % TILE == 0 and some % TILE == 0
        to, step = (end, pitch) if is_direct else (stage.ctypes.data, SIDE)
        _tile_of(rows, some, -(-depth // STEP), left, place, to, step)
        if not is_direct:  # sums of some products each lose fewer bits than one that goes on
            for r in range(rows):
                line = floats(end + FLOAT * r * pitch, some)
                for c in range(some):
                    line[c] = (line[c] if add else np.float32(0)) + stage[r, c]


@piece()
def _multiply_numbers(trans_a, trans_b, rows, columns, depth, a, lda, b, ldb, add, out, pitch):
    for r in range(rows):
        line = floats(out + FLOAT * r * pitch, columns)
        if not add:
            line[:] = np.float32(0)
        for k in range(depth):
            value = floats(a + FLOAT * (k * lda + r if trans_a else r * lda + k), 1)[0]
            if trans_b:
                for c in range(columns):
                    line[c] += value * floats(b + FLOAT * (c * ldb + k), 1)[0]
            else:
                row = floats(b + FLOAT * k * ldb, columns)
                for c in range(columns):
                    line[c] += value * row[c]


@shared()
def _multiply(
    trans_a, trans_b, m, n, products, a, lda, b, ldb, add, out, ldc, depth, cuts, lefts, rights, stages, part, parts
):  # fmt: skip
    """Cut into parts along the rows and the columns, one a thread; depth: products that are summed up at a time."""
    rows, columns = -(-m // SIDE), -(-n // SIDE)
    panel_bytes = rights.shape[2] * FLOAT
    configure()
    for job in range(*share_of(cuts[0] * cuts[1], part, parts)):
        i, j = job // cuts[1], job % cuts[1]
        top, bottom = rows * i // cuts[0] * SIDE, min(rows * (i + 1) // cuts[0] * SIDE, m)
        end = min(columns * (j + 1) // cuts[1] * SIDE, n)
        left, right = lefts[job].ctypes.data, rights[job].ctypes.data
        for low in range(columns * j // cuts[1] * SIDE, end, rights.shape[1] * SIDE):
            count = min(rights.shape[1] * SIDE, end - low)
            for first in range(0, products, depth):
                some, adds, infinite = min(depth, products - first), add or first > 0, 0
                from_b = b + FLOAT * (low * ldb + first if trans_b else first * ldb + low)
                if trans_b:
                    infinite |= lay_out_along(from_b, ldb, some, count, True, right, panel_bytes)
                else:
                    infinite |= lay_out_across(from_b, ldb, some, count, False, right, panel_bytes)
                for row in range(top, bottom, SIDE):
                    tall, to = min(SIDE, bottom - row), out + FLOAT * (row * ldc + low)
                    from_a = a + FLOAT * (first * lda + row if trans_a else row * lda + first)
                    if trans_a:
                        is_infinite = lay_out_across(from_a, lda, some, tall, True, left, panel_bytes)
                    else:
                        is_infinite = lay_out_along(from_a, lda, some, tall, False, left, panel_bytes)
                    if infinite | is_infinite:
                        _multiply_numbers(
                            trans_a, trans_b, tall, count, some, from_a, lda, from_b, ldb, adds, to, ldc
                        )
                    else:
                        multiply_panels(
                            tall, count, some, left, right, panel_bytes, adds, stages[job], to, ldc
                        )
    release()


def multiply(
    trans_a: bool, trans_b: bool, m: int, n: int, products: int, a: int, lda: int, b: int, ldb: int, add: bool,
    out: int, ldc: int, at_once: int = 0,
) -> None:  # fmt: skip
    """What products.multiply does, where it `pays`."""
    threads = numba.get_num_threads()
    along = min(threads, max(1, n // (2 * SIDE)))  # as there: threads with the same columns all lay them out
    cuts = threads // along, along
    depth = min(at_once or products, DEPTH)
    panel = panel_numbers(depth)
    wide = min(PANELS * DEPTH // depth, -(-n // (along * SIDE)))
    count = cuts[0] * cuts[1]
    shapes = [(count, panel), (count, wide, panel), (count, SIDE, SIDE)]
    memory = scratch_parts(shapes, np.dtype(np.float32), "products")
    _multiply(trans_a, trans_b, m, n, products, a, lda, b, ldb, add, out, ldc, depth, cuts, *memory)
