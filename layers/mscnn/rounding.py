"""Rounding to whole numbers as C does."""

from __future__ import annotations

import math

from caffe_compat.layers.common.cut_off import cut_off


def whole(value: float) -> int:
    """The nearest whole number, halves away from zero; of those that an int of C holds."""
    return cut_off(math.copysign(abs(float(value)) + 0.5, value))
