"""Layers of OpenPose and of caffe-heatmap."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from layers.naive.given import Given, taken

F = np.float32


def im_resize(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.imresize_param
    height, width = (
        (int(n * F(param.factor)) for n in x.shape[2:])
        if param.factor
        else (param.target_spatial_height, param.target_spatial_width)
    )

    def cubic(values, d):
        a, b, c, e = values
        rise = (-a + 3 * b - 3 * c + e) / 2 * d + (2 * a - 5 * b + 4 * c - e) / 2
        return (rise * d + (c - a) / 2) * d + b

    @cache
    def line(i, count, size, scale):
        """Of a pixel of the top: those four of the bottom, and how far behind the second it lies."""
        pad = math.floor(size // 2 * float(F(1) - F(param.start_scale) + F(scale) * F(param.scale_gap)))
        size -= 2 * pad
        place = (i - (count / size / 2 - 0.5)) * size / count
        second = max(int(place + 1e-5), 0)
        near = [min(max(k, 0), size - 1) for k in range(second - 1, second + 3)]
        return [k + pad for k in near], place - second

    def value(at):
        _, c, i, j = at
        total = 0.0
        for n in range(len(x)):
            rows, down = line(i, height, x.shape[2], n)
            columns, right = line(j, width, x.shape[3], n)
            total += cubic([cubic([x[n, c, r, k] for k in columns], right) for r in rows], down)
        return total / len(x)

    return [taken((1, x.shape[1], height, width), value)]


def nms(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.nms_param
    top = np.zeros((len(x), param.num_parts, param.max_peaks + 1, 3))
    height, width = x.shape[2:]
    for n, part in np.ndindex(*top.shape[:2]):
        plane, found = x[n, part], []
        for i in range(1, height - 1):
            for j in range(1, width - 1):
                around = [plane[i + a, j + b] for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]
                if plane[i, j] > param.threshold and plane[i, j] > max(around):
                    found.append((i, j))
        top[n, part, 0, 0] = len(found)
        for k, (i, j) in enumerate(found[: param.max_peaks]):
            near = [
                (r, c, plane[r, c])
                for r in range(max(i - 3, 1), min(i + 4, height))
                for c in range(max(j - 3, 1), min(j + 4, width))
                if plane[r, c] > 0
            ]
            total = sum(score for *_, score in near)
            top[n, part, k + 1] = (
                sum(c * score for _, c, score in near) / total,
                sum(r * score for r, _, score in near) / total,
                plane[i, j],
            )
    return [top]


def euclidean_loss_heatmap(given: Given) -> list[np.ndarray]:
    predicted, wanted, _ = given.bottom
    return [
        np.array(sum((a - b) ** 2 for a, b in zip(predicted.flat, wanted.flat, strict=True)) / predicted.size)
    ]


NAIVE = {"EuclideanLossHeatmap": euclidean_loss_heatmap, "ImResize": im_resize, "Nms": nms}
