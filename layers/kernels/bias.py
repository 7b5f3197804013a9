"""The bias as what a matrix product starts from, which is cheaper than a pass over the result; and its gradient."""

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


@njit(cache=True, error_model="numpy", parallel=True, fastmath={"reassoc", "nsz", "contract"})
def add_sums(diffs, out):
    """out[c] += the sum of diffs[:, c], which is outer x channels x inner."""
    outer, channels, inner = diffs.shape
    for c in prange(channels):
        total = 0.0
        for n in range(outer):
            part = diffs.dtype.type(0)
            for i in range(inner):
                part += diffs[n, c, i]
            total += part
        out[c] += total
