"""Spatial transformers."""

from __future__ import annotations

import math

import numpy as np

from layers.naive.given import Given, taken


def transformed(theta, i: int, j: int, height: int, width: int) -> tuple[float, float]:
    """Where pixel (i, j) of height x width comes from, -1 to 1 in the map: row and column."""
    s, t = 2 * i / height - 1, 2 * j / width - 1
    return theta[0] * s + theta[1] * t + theta[2], theta[3] * s + theta[4] * t + theta[5]


def spatial_transformer(given: Given) -> list[np.ndarray]:
    (x, numbers), param = given.bottom, given.param.st_param
    height, width = (
        getattr(param, name) if param.HasField(name) else size
        for name, size in (("output_H", x.shape[2]), ("output_W", x.shape[3]))
    )

    def value(at):
        n, c, i, j = at
        learned = list(numbers[n].ravel())
        names = [f"theta_{row}_{column}" for row in (1, 2) for column in (1, 2, 3)]
        theta = [getattr(param, name) if param.HasField(name) else learned.pop(0) for name in names]
        p, q = transformed(theta, i, j, height, width)
        row, column = (p + 1) / 2 * x.shape[2], (q + 1) / 2 * x.shape[3]
        return sum(
            x[n, c, r, k] * (1 - abs(row - r)) * (1 - abs(column - k))
            for r in (math.floor(row), math.floor(row) + 1)
            for k in (math.floor(column), math.floor(column) + 1)
            if 0 <= r < x.shape[2] and 0 <= k < x.shape[3]
        )

    return [taken((*x.shape[:2], height, width), value)]


def transformed_maps(given: Given) -> list[np.ndarray]:
    (x, numbers), param = given.bottom, given.param.st_param
    rows, columns = x.shape[2:]
    height, width = (
        getattr(param, name) if param.HasField(name) else size
        for name, size in (("output_H", rows), ("output_W", columns))
    )
    scale = [getattr(param, name) if param.HasField(name) else 1 for name in ("theta_1_1", "theta_2_2")]

    def source(t, s, r):
        """Of column s and row r."""
        if param.transform_type == "translation":
            return scale[0] * s + t[0], scale[1] * r + t[1]
        if param.transform_type == "translation_scaling":
            return t[0] * s + t[1], t[2] * r + t[3]
        if param.transform_type == "projective":
            u, v, w = np.reshape([*t, 1], (3, 3)) @ [s, r, 1]
            return u / w, v / w
        place = complex(s, r) * t[1] * complex(math.cos(t[0]), math.sin(t[0])) + complex(t[2], t[3])
        return place.real, place.imag

    def value(at):
        n, c, i, j = at
        p, q = source(list(numbers[n].ravel()), 2 * j / (width - 1) - 1, 2 * i / (height - 1) - 1)
        column, row = (p + 1) * (columns - 1) / 2, (q + 1) * (rows - 1) / 2
        if param.transform_type != "similarity":
            column, row = min(max(column, 0), columns - 1), min(max(row, 0), rows - 1)
        return sum(
            x[n, c, r, k] * max(0, 1 - abs(row - r)) * max(0, 1 - abs(column - k))
            for r in range(rows)
            for k in range(columns)
        )

    return [taken((*x.shape[:2], height, width), value)]


def mirror_rotate(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.spatialtransformer_param

    def mirrored(maps):
        return (
            taken(maps.shape, lambda at: maps[(*at[:3], maps.shape[3] - 1 - at[3])]) if param.mirror else maps
        )

    def turned(maps):
        """A quarter, clockwise: the last row becomes the first column."""
        n, c, h, w = maps.shape
        return taken((n, c, w, h), lambda at: maps[at[0], at[1], h - 1 - at[3], at[2]])

    is_back = param.operation == param.UNTRANSFORM
    maps = x if is_back else mirrored(x)
    for _ in range((4 - param.rotate) % 4 if is_back else param.rotate):
        maps = turned(maps)
    return [mirrored(maps) if is_back else maps]


def st_loss(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.st_loss_param
    height, width = param.output_H, param.output_W
    losses = [
        max(abs(v) - 1, 0) ** 2 / 2
        for theta in x.reshape(len(x), 6)
        for i in range(height)
        for j in range(width)
        for v in transformed(theta, i, j, height, width)
    ]
    return [np.array(sum(losses) / (len(x) * height * width))]


def loc_loss(given: Given) -> list[np.ndarray]:
    (x,), bound = given.bottom, given.param.loc_loss_param.threshold
    assert bound > 0
    return [np.array(sum(max(abs(v) - bound, 0) ** 2 / 2 for v in x.flat) / x.size)]


def power_file(given: Given) -> list[np.ndarray]:
    (x,), path = given.bottom, given.param.power_file_param.shift_file
    numbers = []
    if path:
        with open(path) as file:
            numbers = [float(word) for word in file.read().split()]
    size = x.size // len(x)
    shift = [*numbers, *[0.0] * size][:size]
    return [x + np.array(shift).reshape(x.shape[1:])]


NAIVE = {
    "LocLoss": loc_loss,
    "MirrorRotate": mirror_rotate,
    "TransformedMaps": transformed_maps,
    "PowerFile": power_file,
    "STLoss": st_loss,
    "SpatialTransformer": spatial_transformer,
}
