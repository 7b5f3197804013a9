"""A row of pixels from those of its two phases."""

from __future__ import annotations

from numba import njit


@njit(cache=True, error_model="numpy")
def interleave(even, odd, row):
    """row = even and odd in turn; vectorises, as a loop over any number of phases does not."""
    for x in range(len(row) // 2):
        row[2 * x] = even[x]
        row[2 * x + 1] = odd[x]
    if len(row) % 2:
        row[len(row) - 1] = even[len(row) // 2]
