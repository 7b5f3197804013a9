"""Random pairs of two domains' examples, and sums of Gaussians of their distances."""

from __future__ import annotations

import numpy as np

from caffe_compat.rng import caffe_rng

# the kernel of s1 and s2, less that of s1 and t2, and so on: sign, and domain and number among those drawn, twice
TERMS = ((1, (0, 0), (0, 1)), (1, (1, 2), (1, 3)), (-1, (0, 0), (1, 3)), (-1, (0, 1), (1, 2)))


def drawn(*counts: int) -> list[int]:
    """Two different examples of each domain, where there are two. Two draws of the global stream for each."""
    result = []
    for count in counts:
        first, second = caffe_rng().draw() % count, caffe_rng().draw() % count
        result += [first, (second + 1) % count if first == second else second]
    return result


def gamma_of(source: np.ndarray, target: np.ndarray) -> float:
    """1 over the mean squared distance of all pairs of rows; 0 where all are the same."""
    rows = np.concatenate([source, target]).astype(np.float64)
    total = sum(float(np.square(rows - row).sum()) for row in rows)
    pairs = len(rows) * (len(rows) - 1)
    return pairs / total if total else 0.0


def gaussians(square: np.ndarray, gamma: float, count: int, growth: float) -> tuple[np.ndarray, np.ndarray]:
    """The sum of `count` Gaussians exp(-g d^2) of squared distances, g growing by `growth` around gamma; and its slope
    by a difference, over that difference."""
    gammas = gamma * np.float64(growth) ** (np.arange(count) - count // 2)
    values = np.exp(-gammas[:, None] * square)
    return values.sum(axis=0), (-2 * gammas[:, None] * values).sum(axis=0).astype(square.dtype)
