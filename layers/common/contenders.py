"""Which of many scores may be among the best, without sorting them all."""

from __future__ import annotations

import numpy as np


def contenders(scores: np.ndarray, most: int | None) -> np.ndarray:
    """Return the places, in order, of the `most` highest scores (1-D), and of all that equal the last of them.

    Sorted, they begin as all scores do. most: None for all; NaN counts as the highest.
    """
    if most is None or most >= len(scores):
        return np.arange(len(scores))
    if most <= 0:
        return np.empty(0, np.intp)
    least = np.partition(scores, len(scores) - most)[len(scores) - most]
    return np.flatnonzero(~(scores < least))
