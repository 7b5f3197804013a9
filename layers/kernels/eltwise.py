"""Combining arrays of one shape, element by element; flat arrays."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True, error_model="numpy", parallel=True)
def add_scaled(x, scale, y):
    """Add scale * x to y."""
    for i in prange(x.size):
        y[i] += scale * x[i]


@njit(cache=True, error_model="numpy", parallel=True)
def larger(a, b, y, winner):
    """Write the larger of a and b into y, and into winner (int32) 0 where it is a, else 1."""
    for i in prange(a.size):
        first = a[i] > b[i]
        y[i] = a[i] if first else b[i]
        winner[i] = np.int32(0) if first else np.int32(1)


@njit(cache=True, error_model="numpy", parallel=True)
def raise_to(x, index, y, winner):
    """Where x is above y, write x into y and index into winner."""
    for i in prange(x.size):
        if x[i] > y[i]:
            y[i] = x[i]
            winner[i] = index
