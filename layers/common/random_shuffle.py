"""Lists brought into a random order as C++'s std::random_shuffle does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def random_shuffle(items: list[T], draw: Callable[[], int]) -> list[T]:
    """Change the list in place, by one draw of a whole number for each item but the first; returns it.

    Source: std::random_shuffle of libstdc++.
    """
    for i in range(1, len(items)):
        j = draw() % (i + 1)
        items[i], items[j] = items[j], items[i]
    return items
