"""Bilinear samples of maps, a line of places for each of the two axes."""

from __future__ import annotations

import numpy as np


class Line:
    """Places along an axis of `size` pixels: the pixels before and behind each, and how much the second counts.

    A place up to half a pixel outside takes the pixel at the border; one farther out is not `inside`, and counts 0.
    """

    def __init__(self, places: np.ndarray, size: int):
        self.size = size
        self.inside = (places >= -0.5) & (places <= size - 0.5)
        self.at = np.clip(places, 0, size - 1)
        self.low = self.at.astype(np.int64)
        self.high = np.minimum(self.low + 1, size - 1)
        self.part = self.at - self.low

    def matrix(self) -> np.ndarray:
        """What each pixel counts at each place: places x size."""
        result, rows = np.zeros((len(self.at), self.size), self.at.dtype), np.arange(len(self.at))
        result[rows, self.low] += 1 - self.part
        result[rows, self.high] += self.part
        return result * self.inside[:, None]


def sampled(maps: np.ndarray, rows: Line, columns: Line) -> np.ndarray:
    """The maps, ... x H x W, at all places of the two lines."""
    lines = between(maps, rows, -2)
    return np.where(rows.inside[:, None] & columns.inside, between(lines, columns, -1), 0)


def between(maps: np.ndarray, line: Line, axis: int) -> np.ndarray:
    """The maps at the places of a line along one axis, all pixels of the other."""
    part = line.part[:, None] if axis == -2 else line.part
    return (1 - part) * maps.take(line.low, axis) + part * maps.take(line.high, axis)
