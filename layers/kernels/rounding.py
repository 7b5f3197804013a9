"""Rounding as C does it; Python and numba round halves to even."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def c_round(x):
    """Return the whole number nearest to x, halves away from zero, as a float of x's own precision.

    Exact for every x: adding 0.5 and cutting off would make 1 out of the float just below 0.5.
    """
    whole = np.trunc(x)
    if abs(x - whole) >= np.float32(0.5):
        whole += np.copysign(np.float32(1), x)
    return whole
