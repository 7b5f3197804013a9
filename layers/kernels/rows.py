"""Rows of a matrix, picked by their numbers."""

from __future__ import annotations

from caffe_compat.layers.kernels.shared import share_of, shared

COLUMNS = 64


@shared()
def add_to_rows(values, index, out, part, parts):
    """Add each row i of values to row index[i] of out; several may go to one, so threads share the columns."""
    rows, columns = values.shape
    for block in range(*share_of((columns + COLUMNS - 1) // COLUMNS, part, parts)):
        low, high = block * COLUMNS, min(columns, (block + 1) * COLUMNS)
        for i in range(rows):
            for j in range(low, high):
                out[index[i], j] += values[i, j]
