"""Filters and channels with orientations."""

from __future__ import annotations

import math

import numpy as np

from layers.naive import filters
from layers.naive.given import Given, taken


def extend(given: Given) -> list[np.ndarray]:
    (x,), count = given.bottom, given.param.orn_param.orientations
    shape = (len(x), x.shape[1] * count, *x.shape[2:])
    return [taken(shape, lambda at: x[at[0], at[1] // count, at[2], at[3]])]


def or_pooling(given: Given) -> list[np.ndarray]:
    (x,), count = given.bottom, given.param.orn_param.orientations
    shape = (len(x), x.shape[1] // count, *x.shape[2:])
    return [taken(shape, lambda at: max(x[at[0], at[1] * count + k, at[2], at[3]] for k in range(count)))]


def turned(row: int, column: int, steps: float) -> tuple[int, int]:
    """A pixel of 3 x 3 (from -1 to 1) turned clockwise by so many eighths of a circle, on the square's border."""
    if row == column == 0:
        return 0, 0
    angle = math.atan2(row, column) + steps * math.pi / 4
    y, x = math.sin(angle), math.cos(angle)
    return tuple(round(v / max(abs(y), abs(x))) for v in (y, x))


def or_convolution(given: Given) -> list[np.ndarray]:
    count, weights = given.param.orn_param.orientations, given.blobs[0]
    full = weights.copy()
    middle = weights.shape[2] // 2
    for o in range(weights.shape[0]):
        for c in range(weights.shape[1]):
            for i in range(weights.shape[2]):
                for j in range(weights.shape[3]):
                    if o % count:
                        continue
                    for k in range(count):
                        row, column = turned(i - middle, j - middle, k * 8 / count)
                        channel = c - c % count + (c % count + k) % count
                        full[o + k, channel, row + middle, column + middle] = weights[o, c, i, j]
    given.blobs[0] = full
    return filters.NAIVE["Convolution"](given)


NAIVE = {"Extend": extend, "ORPooling": or_pooling, "ORConvolution": or_convolution}
