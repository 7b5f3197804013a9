"""Elements moved to and from the places that a mask gives. Arrays are planes x elements, a mask has flat indices."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True, error_model="numpy", parallel=True)
def scatter(values, mask, target):
    """target[mask] = values, the last one where there are several, and 0 elsewhere."""
    for p in prange(len(values)):
        target[p] = np.float32(0)
        for i in range(values.shape[1]):
            target[p, np.int64(mask[p, i])] = values[p, i]


@njit(cache=True, error_model="numpy", parallel=True)
def gather(source, mask, values):
    """values = source[mask]."""
    for p in prange(len(values)):
        for i in range(values.shape[1]):
            values[p, i] = source[p, np.int64(mask[p, i])]
