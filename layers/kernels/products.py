"""Products of matrices, in tiles that stay in the processor's registers, on numba's own threads.

The right factor is laid out in panels, a block of it at a time that fits into a cache, the left one some rows at a
time. Each thread has a part of the result, and lays out what it needs: there is one parallel region.

A matrix is given as the address of its first float32 and the distance of its rows in numbers, in int64.
Source: Goto and van de Geijn (2008), as in micro_kernel.py.
"""

from __future__ import annotations

import numba
import numpy as np

from caffe_compat.layers.kernels import tile_products
from caffe_compat.layers.kernels.addresses import FLOAT, floats
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.scratch import scratch_parts
from caffe_compat.layers.kernels.shared import share_of, shared
from caffe_compat.layers.kernels.sum_tile import MOST, WIDTH, copy_vector, sum_products, sum_tile, tile_rows
from caffe_compat.layers.kernels.transpose import transpose
from caffe_compat.layers.kernels.vectors import LANES

_BLOCK, _DEEP = (
    2**16,
    128,
)  # numbers of a block that is laid out (256 kB), and products that it sums up, if few


@piece()
def rows_to_panels(b, pitch, depth, count, panels):
    """panels (panels x more than depth x WIDTH) = `count` columns of b."""
    whole = count // WIDTH * WIDTH
    for k in range(depth):  # row by row, as they lie in memory
        source, target = b + FLOAT * k * pitch, panels.ctypes.data + FLOAT * k * WIDTH
        for begin in range(0, whole, WIDTH):
            place = target + begin // WIDTH * panels.strides[0]
            copy_vector(source + FLOAT * begin, place)
            copy_vector(source + FLOAT * (begin + LANES), place + FLOAT * LANES)
        rest = floats(source + FLOAT * whole, count - whole)
        for c in range(count - whole):
            panels[whole // WIDTH, k, c] = rest[c]


@piece()
def _squares(rows, pitch, depth, columns, step):
    """`depth` (LANES at least) numbers of LANES rows, the first ones together at `columns`, the next `step` behind."""
    sources, targets = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    for i in range(LANES):
        sources[i] = rows + FLOAT * i * pitch
        targets[i] = columns + FLOAT * i * step
    for k in range(0, depth, LANES):
        start = min(k, depth - LANES)
        transpose(sources.ctypes.data, start, targets.ctypes.data, start * step)


@piece()
def columns_to_panels(b, pitch, depth, count, panels):
    """panels = `count` rows of b as columns."""
    squares = count // LANES * LANES if depth >= LANES else 0
    for begin in range(0, squares, LANES):
        place = panels[begin // WIDTH].ctypes.data + FLOAT * (begin % WIDTH)
        _squares(b + FLOAT * begin * pitch, pitch, depth, place, WIDTH)
    for c in range(squares, count):
        row = floats(b + FLOAT * c * pitch, depth)
        for k in range(depth):
            panels[c // WIDTH, k, c % WIDTH] = row[k]


@piece()
def _lay_out_left(a, pitch, trans, depth, count, panel):
    """panel (depth x LANES) = `count` rows of a or its transpose, LANES at most; 0 in the others."""
    if count < LANES or (depth < LANES and not trans):
        along, across = (pitch, 1) if trans else (1, pitch)
        numbers = floats(a, (count - 1) * across + (depth - 1) * along + 1)
        panel[:depth] = 0
        for i in range(count):
            for k in range(depth):
                panel[k, i] = numbers[i * across + k * along]
    elif trans:
        for k in range(depth):
            copy_vector(a + FLOAT * k * pitch, panel.ctypes.data + FLOAT * k * LANES)
    else:
        _squares(a, pitch, depth, panel.ctypes.data, LANES)


@piece()
def _multiply_panels(depth, left, offsets, count, tile, panels, columns, adds, stage, out, pitch):
    """A row of tiles, of which `count` rows count, and so many columns."""
    for column in range(0, columns, WIDTH):
        right, some = panels.ctypes.data + column // WIDTH * panels.strides[0], min(WIDTH, columns - column)
        if count == tile[0] and some in (WIDTH, LANES):
            sum_products(
                tile, some > LANES, depth, offsets, left, 1, right, out + FLOAT * column, pitch, adds
            )
            continue
        sum_products(tile, some > LANES, depth, offsets, left, 1, right, stage.ctypes.data, WIDTH, False)
        for r in range(count):
            line = floats(out + FLOAT * (r * pitch + column), some)
            for c in range(some):
                line[c] = (line[c] if adds else np.float32(0)) + stage[r, c]


@shared()
def _multiply(
    trans_a, trans_b, m, n, products, a, lda, b, ldb, add, out, ldc, tile, depth, offsets, cuts, panels, lefts,
    stages, part, parts,
):  # fmt: skip
    """Cut into parts along the rows and the columns, one a thread; depth: products that a tile sums up at a
    time; offsets (int64): where in a panel of the left factor each begins."""
    rows, columns, wide = tile[0], -(-n // WIDTH), panels.shape[1] * WIDTH
    tiles = -(-m // rows)
    together = LANES // rows * rows
    for job in range(*share_of(cuts[0] * cuts[1], part, parts)):
        i, j = job // cuts[1], job % cuts[1]
        top, bottom = tiles * i // cuts[0] * rows, min(tiles * (i + 1) // cuts[0] * rows, m)
        end = min(columns * (j + 1) // cuts[1] * WIDTH, n)
        for low in range(columns * j // cuts[1] * WIDTH, end, wide):
            count = min(wide, end - low)
            for first in range(0, products, depth):
                some = min(depth, products - first)
                if trans_b:
                    columns_to_panels(b + FLOAT * (low * ldb + first), ldb, some, count, panels[job])
                else:
                    rows_to_panels(b + FLOAT * (first * ldb + low), ldb, some, count, panels[job])
                for begin in range(top, bottom, together):
                    left = a + FLOAT * (first * lda + begin if trans_a else begin * lda + first)
                    _lay_out_left(left, lda, trans_a, some, min(LANES, m - begin), lefts[job])
                    for row in range(begin, min(begin + together, bottom), rows):
                        left = lefts[job].ctypes.data + FLOAT * (row - begin)
                        _multiply_panels(
                            some, left, offsets.ctypes.data, min(rows, bottom - row), tile, panels[job], count,
                            add or first > 0, stages[job], out + FLOAT * (row * ldc + low), ldc,
                        )  # fmt: skip


def multiply(
    trans_a: bool, trans_b: bool, m: int, n: int, products: int, a: int, lda: int, b: int, ldb: int, add: bool,
    out: int, ldc: int, at_once: int = 0,
) -> None:  # fmt: skip
    """out (m x n) = op(a) @ op(b), or out + that where `add` is true; op is the transpose if asked for.

    products: how many each number of `out` sums up; at_once: of which so many, or all at 0, are summed up before that
    is added to what there is. out overlaps neither a nor b, whose arrays the caller holds.
    """
    if tile_products.pays(m, n, at_once or products):
        tile_products.multiply(trans_a, trans_b, m, n, products, a, lda, b, ldb, add, out, ldc, at_once)
        return
    threads = numba.get_num_threads()
    along = min(
        threads, max(1, n // (2 * WIDTH))
    )  # threads with the same columns all lay them out: cut these first
    wide = min(-(-n // (along * WIDTH)), _BLOCK // (WIDTH * min(products, _DEEP))) * WIDTH
    depth = min(at_once or products, _BLOCK // wide)
    parts = threads // along, along
    count = parts[0] * parts[1]
    shapes = [(count, wide // WIDTH, depth + 1, WIDTH), (count, depth + 1, LANES), (count, MOST, WIDTH)]
    memory = scratch_parts(shapes, np.dtype(np.float32), "products")
    sizes, factors = (m, n, products), (a, lda, b, ldb)
    offsets = LANES * np.arange(depth)
    tile = sum_tile(tile_rows(m), n, together=True)
    _multiply(trans_a, trans_b, *sizes, *factors, add, out, ldc, tile, depth, offsets, parts, *memory)
