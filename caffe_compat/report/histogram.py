"""Histograms of arrays of any size, exact and without copies."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

BINS = 48


@dataclass
class Histogram:
    """The distribution of an array's values.

    count: the number of elements, of which `zeros` are 0, `nan` NaN and `inf` infinite. least, greatest, mean, std:
    those of the finite values; None where there are none. bins: the numbers of finite values other than 0 in BINS equal
    parts of [least, greatest]; empty where least equals greatest.
    """

    count: int
    zeros: int
    nan: int
    inf: int
    least: float | None
    greatest: float | None
    mean: float | None
    std: float | None
    bins: list[int]

    @classmethod
    def of(cls, array: np.ndarray) -> Histogram:
        flat = array.reshape(-1)
        least, greatest, total, finite, zeros, nan = _survey(flat)
        if not finite:
            return cls(flat.size, zeros, nan, flat.size - nan, None, None, None, None, [])
        mean = total / finite
        bins = np.zeros(BINS, np.int64)
        squares = _fill(flat, least, greatest, mean, bins)
        return cls(
            count=flat.size,
            zeros=zeros,
            nan=nan,
            inf=flat.size - finite - nan,
            least=least,
            greatest=greatest,
            mean=mean,
            std=float(np.sqrt(squares / finite)),
            bins=bins.tolist() if least < greatest else [],
        )


@numba.njit(cache=True, error_model="numpy")
def _survey(flat):
    least, greatest, total = np.inf, -np.inf, 0.0
    finite = zeros = nan = 0
    for value in flat:
        if np.isfinite(value):
            finite += 1
            zeros += value == 0
            total += value
            least, greatest = min(least, value), max(greatest, value)
        elif np.isnan(value):
            nan += 1
    return least, greatest, total, finite, zeros, nan


@numba.njit(cache=True, error_model="numpy")
def _fill(flat, least, greatest, mean, bins):
    """Counts into bins; returns the sum of squared distances from the mean."""
    squares, scale = 0.0, bins.size / (greatest - least)
    for value in flat:
        if np.isfinite(value):
            squares += (value - mean) ** 2
            if value != 0 and least < greatest:
                bins[min(int((value - least) * scale), bins.size - 1)] += 1
    return squares
