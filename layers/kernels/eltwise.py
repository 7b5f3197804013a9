"""Combining arrays of one shape, element by element; flat arrays."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.shared import share_of, shared


@shared()
def copy(x, y, part, parts):
    """Write x into y."""
    low, high = share_of(x.size, part, parts)
    x, y = x[low:high], y[low:high]
    for i in range(x.size):
        y[i] = x[i]


@shared()
def write_scaled(x, scale, y, part, parts):
    """Write scale * x into y."""
    low, high = share_of(x.size, part, parts)
    x, y = x[low:high], y[low:high]
    for i in range(x.size):
        y[i] = scale * x[i]


@shared()
def write_sum(a, b, y, part, parts):
    """Write a + b into y."""
    low, high = share_of(a.size, part, parts)
    a, b, y = a[low:high], b[low:high], y[low:high]
    for i in range(a.size):
        y[i] = a[i] + b[i]


@shared()
def add_scaled(x, scale, y, part, parts):
    """Add scale * x to y."""
    low, high = share_of(x.size, part, parts)
    x, y = x[low:high], y[low:high]
    for i in range(x.size):
        y[i] += scale * x[i]


@shared()
def larger(a, b, y, winner, part, parts):
    """Write the larger of a and b into y, and into winner (int32) 0 where it is a, else 1."""
    low, high = share_of(a.size, part, parts)
    a, b, y, winner = a[low:high], b[low:high], y[low:high], winner[low:high]
    for i in range(a.size):
        first = a[i] > b[i]
        y[i] = a[i] if first else b[i]
        winner[i] = np.int32(0) if first else np.int32(1)


@shared()
def raise_to(x, index, y, winner, part, parts):
    """Where x is above y, write x into y and index into winner."""
    low, high = share_of(x.size, part, parts)
    x, y, winner = x[low:high], y[low:high], winner[low:high]
    for i in range(x.size):
        if x[i] > y[i]:
            y[i] = x[i]
            winner[i] = index
