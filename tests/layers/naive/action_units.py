"""Layers that find the action units of faces."""

from __future__ import annotations

import math

import numpy as np

from layers.naive.given import Given, taken

# how many distances between the eyes below a landmark a place is, for the two places of each action unit
PLACES = [
    *[((4, -0.5), (5, -0.5)), ((1, -1 / 3), (8, -1 / 3)), ((2, 1 / 3), (7, 1 / 3)), ((24, 1), (29, 1))],
    *[((21, 0), (26, 0)), ((43, 0), (45, 0)), *[((31, 0), (37, 0))] * 3],
    *[((39, 0.5), (41, 0.5)), *[((34, 0), (40, 0))] * 2],
]


def au_mask_based_land(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.au_mask_based_land_param
    size = round(param.img_size * param.spatial_scale)
    half = (param.img_size - 1) / 2 * param.spatial_ratio
    assert len(PLACES) == 12

    def holds(centre: float, pixel: int) -> bool:
        ends = [(centre + sign * half) * param.spatial_scale for sign in (-1, 1)]
        low, high = (min(max(math.floor(abs(v) + 0.5) * math.copysign(1, v), 0), size - 1) for v in ends)
        return low <= pixel <= high

    def values(face: np.ndarray, unit: int, h: int, w: int) -> list[float]:
        """At a pixel: that of each square that holds it."""
        distance, found = abs(face[22, 0] - face[25, 0]), []
        for landmark, below in PLACES[unit] if param.fill_type == "manhattan" else ():
            px, py = face[landmark, 0], face[landmark, 1] + below * distance
            if holds(px, w) and holds(py, h):
                far = abs(h - py * param.spatial_scale) + abs(w - px * param.spatial_scale)
                slope = param.fill_coeff * 100 / (param.img_size * param.spatial_scale)
                found.append(max(1 - far * slope, param.fill_value))
        return found

    def value(at, units) -> float:
        n, _, h, w = at
        face = x[n].reshape(49, 2)
        if len(units) == 1:
            return [param.fill_value, *values(face, units[0], h, w)][-1]
        return max(v for unit in units for v in [param.fill_value, *values(face, unit, h, w)])

    shape = (len(x), 1, size, size)
    return [
        *(taken(shape, lambda at, unit=unit: value(at, [unit])) for unit in range(12)),
        taken(shape, lambda at: value(at, range(12))),
    ]


def align_data_transform(given: Given) -> list[np.ndarray]:
    x, crops, order = given.bottom
    top = np.zeros((len(x), order.size, 2))
    for n, (mirrored, width, row, column) in enumerate(crops.reshape(len(x), 4)):
        for i, number in enumerate(order.ravel()):
            px, py = x[n].reshape(order.size, 2)[int(number) - 1 if mirrored else i]
            top[n, i] = width - 1 - (px - column) if mirrored else px - column, py - row
    return [top.reshape(x.shape)]


def euclidean_loss2(given: Given) -> list[np.ndarray]:
    a, b, distance = given.bottom
    squares = [(p - q) ** 2 for p, q in zip(a.flat, b.flat, strict=True)]
    return [np.array(sum(squares) / len(a) / 2 / distance.flat[0])]


def euclidean_loss6(given: Given) -> list[np.ndarray]:
    squares = [(w * (p - q)) ** 2 for p, q, w in zip(*(x.flat for x in given.bottom), strict=True) if q != 9]
    return [np.array(sum(squares) / len(squares))]


NAIVE = {
    "AUMaskBasedLand": au_mask_based_land,
    "AlignDataTransform": align_data_transform,
    "EuclideanLoss2": euclidean_loss2,
    "EuclideanLoss6": euclidean_loss6,
}
