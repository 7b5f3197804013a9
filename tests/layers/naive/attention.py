"""Layers that weigh the pixels around each pixel, as loops."""

from __future__ import annotations

import math

import numpy as np

from layers.naive.given import Given, taken


def pixel(plane: np.ndarray, row: int, column: int) -> float:
    inside = 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]
    return plane[row, column] if inside else 0.0


def att_pooling(given: Given) -> list[np.ndarray]:
    x, weights = given.bottom
    param = given.param.att_pooling_param
    k = param.kernel_size or x.shape[2]

    def value(at):
        n, c, i, j = at
        if param.att_mode == param.LOCAL:
            top, left = i * param.stride - param.pad, j * param.stride - param.pad
        else:
            top = left = -param.pad
        return sum(
            weights[n, row * k + column, i, j]
            * pixel(x[n, c], top + row * param.dilation, left + column * param.dilation)
            for row in range(k)
            for column in range(k)
        )

    return [taken((*x.shape[:2], *weights.shape[2:]), value)]


def pixel_conv(given: Given) -> list[np.ndarray]:
    filters, x = given.bottom
    k = math.isqrt(filters.shape[1] // x.shape[1])

    def value(at):
        n, c, i, j = at
        return sum(
            filters[n, (c * k + row) * k + column, i, j]
            * pixel(x[n, c], i + row - k // 2, j + column - k // 2)
            for row in range(k)
            for column in range(k)
        )

    return [taken(x.shape, value)]


NAIVE = {"AttPooling": att_pooling, "PixelConv": pixel_conv}
