"""Random pairs of two domains' examples, and sums of Gaussians of their distances."""

from __future__ import annotations

import numpy as np

from caffe_compat.rng import caffe_rng

# the kernel of s1 and s2, less that of s1 and t2, and so on: sign, and domain and number among those drawn, twice
TERMS = ((1, (0, 0), (0, 1)), (1, (1, 2), (1, 3)), (-1, (0, 0), (1, 3)), (-1, (0, 1), (1, 2)))


def drawn(times: int, *counts: int) -> np.ndarray:
    """So many times two different examples of each domain, where there are two: times x 2 * domains. Two draws of the
    global stream for each."""
    draws = np.empty((times, len(counts), 2), np.uint32)
    caffe_rng().raw(draws)
    sizes = np.array(counts)
    first, second = draws[..., 0] % sizes, draws[..., 1] % sizes
    second = np.where(first == second, (second + 1) % sizes, second)
    return np.stack([first, second], axis=-1).reshape(times, -1)


def gamma_of(source: np.ndarray, target: np.ndarray) -> float:
    """1 over the mean squared distance of all pairs of rows; 0 where all are the same."""
    rows = np.concatenate([source, target]).astype(np.float64)
    rows -= rows[0].copy()  # rows that are the same are then 0, whatever their mean is rounded to
    total = 2 * len(rows) * float(np.square(rows - rows.mean(axis=0)).sum())
    pairs = len(rows) * (len(rows) - 1)
    return pairs / total if total else 0.0


def gaussians(square: np.ndarray, gamma: float, count: int, growth: float) -> tuple[np.ndarray, np.ndarray]:
    """The sum of `count` Gaussians exp(-g d^2) of squared distances, g growing by `growth` around gamma; and its slope
    by a difference, over that difference."""
    gammas = gamma * np.float64(growth) ** (np.arange(count) - count // 2)
    values = np.exp(-gammas[:, None] * square)
    return values.sum(axis=0), (-2 * gammas[:, None] * values).sum(axis=0).astype(square.dtype)
