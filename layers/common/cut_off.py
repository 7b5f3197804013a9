"""Numbers that are made whole."""

from __future__ import annotations

MOST = 2**31 - 1  # what an int of C holds


def cut_off(value: float) -> int:
    """The value cut off as C's (int) does; what an int cannot hold is the nearest that it can, and NaN is 0."""
    return int(min(max(value, -MOST), MOST)) if value == value else 0
