"""Shapes and numbers as text, the same in tables, on pages and in pictures; and numbers as JSON has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def dims(shape: Sequence[int]) -> str:
    """A shape as text: 2000x512x6x6; a single number is a scalar's."""
    return "x".join(map(str, shape)) or "1"


def scientific(error: float) -> str:
    """An error with two digits: 3.2e-05; 0 where there is none."""
    return "0" if error == 0 else f"{error:.1e}"


def finite(value: Any) -> Any:
    """The same dicts and lists, with None for numbers that are not finite, which JSON has not."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
