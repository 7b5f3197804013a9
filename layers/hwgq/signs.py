"""Weights as signs."""

from __future__ import annotations

import numpy as np


def signs(weights: np.ndarray, use_alpha: bool) -> np.ndarray:
    """1 for each weight that is 0 or more, else -1; use_alpha: times the mean absolute weight of its output.

    weights: outputs first. Source: Rastegari et al., XNOR-Net (2016), section 3.1.
    """
    signed = np.where(weights >= 0, weights.dtype.type(1), weights.dtype.type(-1))
    if use_alpha:
        signed *= np.abs(weights).mean(axis=tuple(range(1, weights.ndim)), keepdims=True)
    return signed
