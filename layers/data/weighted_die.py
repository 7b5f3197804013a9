"""A choice by weights, as SSD's data layers make it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.rng import Rng


def roll(rng: Rng, weights: Sequence[float]) -> int:
    """Which of the weights a random number falls into. Source: roll_weighted_die of the SSD fork of Caffe."""
    ends = np.cumsum(weights, dtype=np.float32)
    return min(int(np.searchsorted(ends, rng.number(0, ends[-1]))), len(ends) - 1)
