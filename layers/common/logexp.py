"""Exponentials and logarithms in numpy, whose vectorised functions outrun a kernel's loop; the base of Exp and Log."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.layers.base import Layer


def exp_of_negative(x: np.ndarray, out: np.ndarray) -> None:
    """Write exp(-x) into out, which may be x; infinite where that is too large."""
    np.negative(x, out=out)
    with np.errstate(over="ignore"):
        np.exp(out, out=out)


def log1p_exp(x: np.ndarray, out: np.ndarray) -> None:
    """Write log(1 + exp(-|x|)) into out, which may be x."""
    np.abs(x, out=out)
    np.negative(out, out=out)
    np.exp(out, out=out)
    np.log1p(out, out=out)


def log_of_base(layer: Layer, base: float) -> float:
    """Return the natural logarithm of `base`; -1, Caffe's default, stands for e.

    Raises LayerError for a base of which there is none.
    """
    if base == -1:
        return 1.0
    if not 0 < base < math.inf:
        raise layer.error(f"base is {base:g}; it must be greater than 0, or -1 for e")
    return math.log(base)
