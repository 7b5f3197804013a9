"""The bias as what a matrix product starts from: cheaper than a pass over the result."""

from __future__ import annotations

from numba import njit, prange


@njit(cache=True, error_model="numpy", parallel=True)
def fill_rows(bias, low, high, out):
    """out[i, low:high] = bias[i]."""
    for i in prange(out.shape[0]):
        out[i, low:high] = bias[i]


@njit(cache=True, error_model="numpy", parallel=True)
def fill_columns(bias, out):
    """out[:, j] = bias[j]."""
    for i in prange(out.shape[0]):
        out[i] = bias
