"""Rounding to whole numbers as C does."""

from __future__ import annotations

import math


def whole(value: float) -> int:
    """The nearest whole number, halves away from zero."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), value))
