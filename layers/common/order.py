"""Orders of things: each number from 0 once."""

from __future__ import annotations

import numpy as np


def is_order(numbers: np.ndarray, count: int) -> bool:
    """Whether an array, of a file perhaps, has each number from 0 to count - 1 once."""
    return numbers.shape == (count,) and np.array_equal(np.sort(numbers), np.arange(count))
