"""The base of Exp and Log."""

from __future__ import annotations

import math

from caffe_compat.layers.base import Layer


def log_of_base(layer: Layer, base: float) -> float:
    """Return the natural logarithm of `base`; -1, Caffe's default, stands for e.

    Raises LayerError for a base of which there is none.
    """
    if base == -1:
        return 1.0
    if not 0 < base < math.inf:
        raise layer.error(f"base is {base:g}; it must be greater than 0, or -1 for e")
    return math.log(base)
