"""Memory that arrays share which do not live at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass
class Life:
    """An array of `size` numbers that is needed from step `first` to step `last`; where it lies in the memory."""

    first: int
    last: int
    size: int
    place: int = 0


def lives_of(uses: Iterable[tuple[int, int, int]]) -> dict[int, Life]:
    """The lives of arrays by their keys: uses has a step, a key and how many numbers it takes there, the steps in
    order."""
    lives: dict[int, Life] = {}
    for step, key, size in uses:
        life = lives.setdefault(key, Life(step, step, 0))
        life.last, life.size = step, max(life.size, size)
    return lives


def arrange(lives: Sequence[Life]) -> int:
    """Give each array its place, large ones first, each as low as it fits; returns how many numbers they take in all.

    Source: greedy by size, Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference (2020).
    """
    placed: list[Life] = []
    for life in sorted(lives, key=lambda life: (-life.size, life.first)):
        life.place = 0
        for other in sorted(placed, key=lambda other: other.place):
            if other.first > life.last or other.last < life.first or other.place + other.size <= life.place:
                continue
            if other.place >= life.place + life.size:
                break
            life.place = other.place + other.size
        placed.append(life)
    return max((life.place + life.size for life in placed), default=0)
