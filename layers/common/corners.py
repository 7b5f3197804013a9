"""Bilinear sampling of maps at any places: the four pixels around each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass
class Corner:
    """One of the pixels around each of P places: where it stands in H W, whether it counts, how much by its row and by
    its column, and whether it is the later one of the two rows, and columns."""

    index: np.ndarray
    counts: np.ndarray
    row: np.ndarray
    column: np.ndarray
    below: bool
    right: bool


class Corners:
    """The pixels around P places, of rows y and columns x, on maps of H x W.

    Those outside count 0, or, with `kept`, are the ones at the border, and it is the places outside of the map that
    count 0, from 0 to below H and W. With `beyond` they are the ones at the border, and all places count. A place that
    is NaN gives NaN, but not with `kept`.
    """

    def __init__(
        self, y: np.ndarray, x: np.ndarray, size: tuple[int, int], kept: bool = False, beyond: bool = False
    ):
        with np.errstate(invalid="ignore"):
            self.all = list(self._corners(y, x, size, kept, beyond))

    def _corners(
        self, y: np.ndarray, x: np.ndarray, size: tuple[int, int], kept: bool, beyond: bool
    ) -> Iterator[Corner]:
        height, width = size
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        top, left = np.floor(y), np.floor(x)
        for below, right in ((0, 0), (1, 0), (0, 1), (1, 1)):
            i, j = top + below, left + right
            outside = (i < 0) | (i >= height) | (j < 0) | (j >= width)
            row, column = (
                np.nan_to_num(i, nan=0).clip(0, height - 1),
                np.nan_to_num(j, nan=0).clip(0, width - 1),
            )
            yield Corner(
                index=row.astype(np.int64) * width + column.astype(np.int64),
                counts=inside if kept else ~outside | beyond,
                row=y - top if below else 1 - (y - top),
                column=x - left if right else 1 - (x - left),
                below=bool(below),
                right=bool(right),
            )

    def sample(self, maps: np.ndarray) -> np.ndarray:
        """Maps, C x H W, at the places: C x P."""
        parts = (np.where(c.counts, c.row * c.column * maps[:, c.index], 0) for c in self.all)
        return sum(parts, np.zeros((len(maps), len(self.all[0].index)), maps.dtype))

    def spread(self, diff: np.ndarray, out: np.ndarray) -> None:
        """Add the gradient at the maps to out, C x H W, from that at the samples, C x P."""
        for c in self.all:
            weight = np.where(c.counts, c.row * c.column, 0)
            for line, part in zip(out, diff, strict=True):
                line += np.bincount(c.index, weight * part, minlength=len(line)).astype(line.dtype)

    def slopes(self, maps: np.ndarray, diff: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The gradient at the rows and at the columns of the places, P each."""
        of_y, of_x = np.zeros((2, diff.shape[1]), diff.dtype)
        for c in self.all:
            value = np.where(c.counts, (maps[:, c.index] * diff).sum(axis=0), 0)
            of_y += (1 if c.below else -1) * c.column * value
            of_x += (1 if c.right else -1) * c.row * value
        return of_y, of_x
