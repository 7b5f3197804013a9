"""Products of matrices, in tiles that stay in the processor's registers, on numba's own threads.

The right factor is laid out in panels, a block of it at a time that fits into a cache; of the left one only what is
read across its rows. Each thread has a part of the result, and lays out what it needs: there is one parallel region.

A matrix is given as the address of its first float32 and the distance of its rows in numbers, in int64.
Source: Goto and van de Geijn (2008), as in micro_kernel.py.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import njit, prange

from caffe_compat.layers.kernels.addresses import FLOAT, floats
from caffe_compat.layers.kernels.micro_kernel import LANES
from caffe_compat.layers.kernels.scratch import scratch_parts
from caffe_compat.layers.kernels.sum_tile import MOST, WIDTH, copy_vector, sum_products, tile_rows
from caffe_compat.layers.kernels.transpose import transpose

_BLOCK, _DEEP = (
    2**16,
    128,
)  # numbers of a block that is laid out (256 kB), and products that it sums up, if few


@njit(cache=True, error_model="numpy")
def _rows_to_panels(b, pitch, depth, count, panels):
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


@njit(cache=True, error_model="numpy")
def _columns_to_panels(b, pitch, depth, count, panels):
    """panels = `count` rows of b as columns."""
    sources, targets = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    squares = count // LANES * LANES if depth >= LANES else 0
    for begin in range(0, squares, LANES):
        panel, lane = panels[begin // WIDTH], begin % WIDTH
        for i in range(LANES):
            sources[i] = b + FLOAT * (begin + i) * pitch
        for k in range(0, depth, LANES):
            start = min(k, depth - LANES)
            for i in range(LANES):
                targets[i] = panel[start + i, lane:].ctypes.data
            transpose(sources.ctypes.data, start, targets.ctypes.data, 0)
    for c in range(squares, count):
        row = floats(b + FLOAT * c * pitch, depth)
        for k in range(depth):
            panels[c // WIDTH, k, c % WIDTH] = row[k]


@njit(cache=True, error_model="numpy")
def _lay_out_left(a, pitch, trans, depth, count, rows, follow, panel):
    """panel (more than depth x rows) = `count` rows of a or its transpose; 0 in the others of `rows`.

    follow: how many rows there are from here on, `count` among them.
    """
    if trans and follow >= LANES:
        for k in range(depth):  # what a vector has too much, the next one overwrites
            copy_vector(a + FLOAT * k * pitch, panel.ctypes.data + FLOAT * k * rows)
        return
    panel[: depth * rows] = 0
    for i in range(depth if trans else count):
        line = floats(a + FLOAT * i * pitch, count if trans else depth)
        for j in range(len(line)):
            panel[i * rows + j if trans else j * rows + i] = line[j]


@njit(cache=True, error_model="numpy")
def _multiply_panels(depth, left, offsets, step, count, rows, panels, columns, adds, stage, out, pitch):
    """A row of tiles, of which `count` rows count, and so many columns."""
    for column in range(0, columns, WIDTH):
        right, some = panels.ctypes.data + column // WIDTH * panels.strides[0], min(WIDTH, columns - column)
        if count == rows and some in (WIDTH, LANES):
            sum_products(
                rows, some > LANES, depth, offsets, left, step, right, out + FLOAT * column, pitch, adds
            )
            continue
        sum_products(rows, some > LANES, depth, offsets, left, step, right, stage.ctypes.data, WIDTH, False)
        for r in range(count):
            line = floats(out + FLOAT * (r * pitch + column), some)
            for c in range(some):
                line[c] = (line[c] if adds else np.float32(0)) + stage[r, c]


@njit(cache=True, error_model="numpy", parallel=True)
def _multiply(
    trans_a, trans_b, m, n, products, a, lda, b, ldb, add, out, ldc, rows, depth, parts, panels, lefts, stages
):  # fmt: skip
    """Cut into parts along the rows and the columns, one a thread; depth: products that a tile sums up at a time."""
    tiles, columns, wide = -(-m // rows), -(-n // WIDTH), panels.shape[1] * WIDTH
    across, along = np.arange(depth), np.arange(depth) * rows
    for part in prange(parts[0] * parts[1]):
        i, j = part // parts[1], part % parts[1]
        top, bottom = tiles * i // parts[0] * rows, min(tiles * (i + 1) // parts[0] * rows, m)
        end = min(columns * (j + 1) // parts[1] * WIDTH, n)
        for low in range(columns * j // parts[1] * WIDTH, end, wide):
            count = min(wide, end - low)
            for first in range(0, products, depth):
                some = min(depth, products - first)
                if trans_b:
                    _columns_to_panels(b + FLOAT * (low * ldb + first), ldb, some, count, panels[part])
                else:
                    _rows_to_panels(b + FLOAT * (first * ldb + low), ldb, some, count, panels[part])
                for row in range(top, bottom, rows):
                    used = min(rows, bottom - row)
                    left = a + FLOAT * (first * lda + row if trans_a else row * lda + first)
                    offsets, step = across.ctypes.data, lda
                    if trans_a or used < rows:
                        _lay_out_left(left, lda, trans_a, some, used, rows, m - row, lefts[part])
                        left, offsets, step = lefts[part].ctypes.data, along.ctypes.data, 1
                    _multiply_panels(
                        some, left, offsets, step, used, rows, panels[part], count, add or first > 0, stages[part],
                        out + FLOAT * (row * ldc + low), ldc,
                    )  # fmt: skip


def multiply(
    trans_a: bool, trans_b: bool, m: int, n: int, products: int, a: int, lda: int, b: int, ldb: int, add: bool,
    out: int, ldc: int,
) -> None:  # fmt: skip
    """out (m x n) = op(a) @ op(b), or out + that where `add` is true; op is the transpose if asked for.

    products: how many each number of `out` sums up. out overlaps neither a nor b, whose arrays the caller holds.
    """
    threads = numba.get_num_threads()
    along = min(
        threads, max(1, n // (2 * WIDTH))
    )  # threads with the same columns all lay them out: cut these first
    wide = min(-(-n // (along * WIDTH)), _BLOCK // (WIDTH * min(products, _DEEP))) * WIDTH
    depth = min(products, _BLOCK // wide)
    parts = threads // along, along
    count = parts[0] * parts[1]
    shapes = [(count, wide // WIDTH, depth + 1, WIDTH), (count, depth * MOST + LANES), (count, MOST, WIDTH)]
    memory = scratch_parts(shapes, np.dtype(np.float32), "products")
    sizes, factors = (m, n, products), (a, lda, b, ldb)
    _multiply(trans_a, trans_b, *sizes, *factors, add, out, ldc, tile_rows(m), depth, parts, *memory)
