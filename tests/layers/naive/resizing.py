"""Layers that make maps larger or smaller: BilinearInterpolation, Duplicate, Interp, Resize, Upsample."""

from __future__ import annotations

import math

import numpy as np

from layers.naive.given import Given, taken
from layers.test_interp import naive as interpolated


def interp(given: Given) -> list[np.ndarray]:
    (x, *others), param = given.bottom, given.param.interp_param
    kept = x[:, :, -param.pad_beg : x.shape[2] + param.pad_end, -param.pad_beg : x.shape[3] + param.pad_end]
    factors = [param.HasField(name) for name in ("shrink_factor", "zoom_factor")]
    sizes = []
    for size, given_size in zip(kept.shape[2:], (param.height, param.width), strict=True):
        if factors[0]:
            size = (size - 1) // param.shrink_factor + 1
        if factors[1]:
            size = size * param.zoom_factor - (0 if param.zoom_whole else param.zoom_factor - 1)
        sizes.append(given_size if param.HasField("height") and factors[0] == factors[1] else size)
    if param.use_blob_size:
        sizes = list(others[0].shape[2:])
    return [interpolated(kept, *sizes, np.zeros((*x.shape[:2], *sizes)))[0]]


def bilinear_interpolation(given: Given) -> list[np.ndarray]:
    x, other = given.bottom
    return [interpolated(x, *other.shape[2:], np.zeros((*x.shape[:2], *other.shape[2:])))[0]]


def duplicate(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.duplicate_param
    return [taken((*x.shape[:2], int(param.height), int(param.width)), lambda at: x[(*at[:2], 0, 0)])]


def nearest(x: np.ndarray, scale: int) -> np.ndarray:
    shape = (*x.shape[:2], x.shape[2] * scale, x.shape[3] * scale)
    return taken(shape, lambda at: x[(*at[:2], at[2] // scale, at[3] // scale)])


def upsample(given: Given) -> list[np.ndarray]:
    param = given.param.upsample_param
    if len(given.bottom) == 1:
        return [nearest(given.bottom[0], param.scale if param.HasField("scale") else 1)]
    x, mask = given.bottom
    scale_h, scale_w = (param.scale_h, param.scale_w) if param.HasField("scale_h") else (param.scale,) * 2
    height, width = x.shape[2] * scale_h - param.pad_out_h, x.shape[3] * scale_w - param.pad_out_w
    if param.HasField("upsample_h"):
        height, width = param.upsample_h, param.upsample_w
    top = np.zeros((*x.shape[:2], height, width))
    for at in np.ndindex(x.shape):
        top[(*at[:2], *divmod(int(mask[at]), width))] = x[at]
    return [top]


def resize(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.resize_param
    rows, columns = x.shape[2:]
    height, width = param.height, param.width
    if param.is_pyramid_test:
        height, width = math.floor(param.out_height_scale * rows), math.floor(param.out_width_scale * columns)

    def value(at):
        n, c, i, j = at
        row, column = i * rows / height, j * columns / width
        return sum(
            x[n, c, r, k] * max(0, 1 - abs(row - r)) * max(0, 1 - abs(column - k))
            for r in range(rows)
            for k in range(columns)
        )

    return [taken((*x.shape[:2], height, width), value)]


NAIVE = {
    "BilinearInterpolation": bilinear_interpolation,
    "Duplicate": duplicate,
    "Interp": interp,
    "Resize": resize,
    "Upsample": upsample,
}
