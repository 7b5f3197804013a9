"""The products of shared bins in the processor's tile registers: what shared_bins.py does by vectors, twice as fast."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.bfloat16_panels import PAIR, lay_out_across, lay_out_row
from caffe_compat.layers.kernels.micro_kernel import COLUMNS
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared
from caffe_compat.layers.kernels.shared_bins import (
    TOGETHER,
    add_rows,
    multiply_position,
    weights_as_columns,
    write_outputs,
)
from caffe_compat.layers.kernels.tile_products import multiply_panels
from caffe_compat.layers.kernels.tile_registers import SIDE, TILE, TILE_BYTES, configure, release
from caffe_compat.layers.kernels.vectors import LANES


@piece()
def _lay_out_rows(pooled, numbers, panel):
    """panel = the rows of `pooled` with these numbers; returns whether one has an infinite number."""
    infinite = 0
    for r in range(len(numbers)):
        row = panel.ctypes.data + r // TILE * TILE_BYTES + PAIR * TILE * (r % TILE)
        infinite |= lay_out_row(pooled[numbers[r]].ctypes.data, pooled.shape[1], row)
    return infinite


@piece()
def _multiply_position(pooled, numbers, weights, size, left, right, stage, products):
    """What multiply_position does; returns whether a number is infinite, then products are wrong."""
    channels, panel_bytes, infinite = pooled.shape[1], right.strides[0], 0
    for panel in range(-(-size // COLUMNS)):
        columns = weights[panel * channels * COLUMNS :].ctypes.data
        infinite |= lay_out_across(
            columns, COLUMNS, channels, COLUMNS, False, right[panel].ctypes.data, panel_bytes
        )
    for low in range(0, len(numbers), SIDE):
        some = numbers[low : low + SIDE]
        infinite |= _lay_out_rows(pooled, some, left)
        rows = -(-len(some) // TILE) * TILE  # there is room for them
        multiply_panels(
            rows, -(-size // COLUMNS) * COLUMNS, channels, left.ctypes.data, right.ctypes.data, panel_bytes, False,
            stage, products[low].ctypes.data, products.shape[1],
        )  # fmt: skip
    return infinite


@shared()
def multiply(
    pooled, rows, starts, places, weights, bias, packed, panels, lefts, rights, stages, products, sums, top, part,
    parts,
):  # fmt: skip
    """What shared_bins.multiply does. More scratch, one a thread: lefts (a panel), rights (panels of B outputs), stages
    (SIDE x SIDE)."""
    threads, positions, (_, outputs) = len(packed), len(places), top.shape
    channels, block = pooled.shape[1], sums.shape[2]
    configure()
    for thread in range(*share_of(threads, part, parts)):
        sources, targets = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
        total = sums[thread]
        for begin in range(thread * block, outputs, threads * block):
            size = min(block, outputs - begin)
            weights_as_columns(weights[begin : begin + size], channels, sources, targets, packed[thread])
            total[:] = np.float32(0)
            for first in range(0, positions, TOGETHER):
                last = min(first + TOGETHER, positions)
                for p in range(first, last):
                    numbers, product = rows[starts[p] : starts[p + 1]], products[thread, p - first]
                    infinite = _multiply_position(
                        pooled, numbers, packed[thread, p], size, lefts[thread], rights[thread], stages[thread],
                        product,
                    )  # fmt: skip
                    if infinite:
                        multiply_position(
                            pooled,
                            numbers,
                            packed[thread, p],
                            size,
                            sources,
                            targets,
                            panels[thread],
                            product,
                        )
                add_rows(products[thread], places[first:last], total)
            write_outputs(total, begin, size, bias, top)
    release()
