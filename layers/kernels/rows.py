"""Rows of a matrix, picked by their numbers."""

from __future__ import annotations

from numba import njit, prange

COLUMNS = 64


@njit(cache=True, error_model="numpy", parallel=True)
def add_to_rows(values, index, out):
    """Add each row i of values to row index[i] of out; several may go to one, so threads share the columns."""
    rows, columns = values.shape
    for block in prange((columns + COLUMNS - 1) // COLUMNS):
        low, high = block * COLUMNS, min(columns, (block + 1) * COLUMNS)
        for i in range(rows):
            for j in range(low, high):
                out[index[i], j] += values[i, j]
