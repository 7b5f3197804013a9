"""Layers of three dimensions, and of more."""

from __future__ import annotations

import itertools
import math

import numpy as np

from layers.naive.given import Given


def pooled(x: np.ndarray, kernel, stride, pad, counts, average: bool, apart=None) -> list[np.ndarray]:
    """The windows over the last axes: the top, and the places of the maxima."""
    apart = apart or [1] * len(kernel)
    kernel = [(k - 1) * d + 1 for k, d in zip(kernel, apart, strict=True)]
    lead, sizes = x.shape[: -len(kernel)], x.shape[-len(kernel) :]
    top, mask = np.zeros((*lead, *counts)), np.full((*lead, *counts), -1.0)
    for place in np.ndindex(*counts):
        starts = [p * s - q for p, s, q in zip(place, stride, pad, strict=True)]
        ends = [min(a + k, size + q) for a, k, size, q in zip(starts, kernel, sizes, pad, strict=True)]
        elements = math.prod(end - start for start, end in zip(starts, ends, strict=True))
        inside = [
            range(max(start, 0), min(end, size), step)
            for start, end, size, step in zip(starts, ends, sizes, apart, strict=True)
        ]
        for at in np.ndindex(*lead):
            values = [
                (x[(*at, *pixel)], np.ravel_multi_index(pixel, sizes)) for pixel in itertools.product(*inside)
            ]
            if average:
                top[(*at, *place)] = sum(value for value, _ in values) / elements
            else:
                top[(*at, *place)], mask[(*at, *place)] = max(values, key=lambda pair: pair[0])
    return [top, mask]


def pooling3d(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.pooling3d_param
    kernel = [param.kernel_depth, param.kernel_size, param.kernel_size]
    stride = [param.temporal_stride, param.stride, param.stride]
    pad = [0, param.pad, param.pad]
    sizes = zip(x.shape[2:], kernel, stride, pad, strict=True)
    counts = [math.ceil((size + 2 * q - k) / s) + 1 for size, k, s, q in sizes]
    return pooled(x, kernel, stride, pad, counts, param.pool == param.AVE)[:1]


def pooling_nd(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.pooling_nd_param
    shape = x.shape[param.axis % x.ndim + 1 :]

    def sizes(field: str, prefix: str, default: int) -> list[int]:
        if param.HasField(f"{prefix}_h"):
            return [getattr(param, f"{prefix}_h"), getattr(param, f"{prefix}_w")]
        values = list(getattr(param, field)) or [default]
        return values * len(shape) if len(values) == 1 else values

    stride, pad = sizes("stride", "stride", 1), sizes("pad", "pad", 0)
    kernel = list(shape) if param.global_pooling else sizes("kernel_size", "kernel", 0)
    apart = sizes("dilation", "stride", 1) if param.dilation else [1] * len(shape)
    counts = []
    for size, k, s, q, d in zip(shape, kernel, stride, pad, apart, strict=True):
        count = math.ceil((size + 2 * q - (k - 1) * d - 1) / s) + 1
        counts.append(count - (any(pad) and (count - 1) * s >= size + q))
    return pooled(x, kernel, stride, pad, counts, param.pool == param.AVE, apart)[: given.tops]


def nd_pooling(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.pooling_nd_param
    shape, average = x.shape[2:], param.pool == param.AVE
    kernel = list(shape) if param.global_pooling else list(param.kernel_size)
    stride, pad = list(param.stride) or [1] * len(shape), list(param.pad) or [0] * len(shape)
    counts = []
    for size, k, s, q in zip(shape, kernel, stride, pad, strict=True):
        count = math.ceil((size + 2 * q - k) / s) + 1
        counts.append(count - (q > 0 and (count - 1) * s >= size + q))
    if not average:
        return pooled(x, kernel, stride, pad, counts, False)[:1]
    wide = np.pad(x, [(0, 0), (0, 0), *((q, q + k + s) for q, k, s in zip(pad, kernel, stride, strict=True))])
    top = np.zeros((*x.shape[:2], *counts))
    for place in np.ndindex(*counts):
        window = tuple(slice(p * s, p * s + k) for p, s, k in zip(place, stride, kernel, strict=True))
        top[(..., *place)] = wide[(..., *window)].sum(axis=tuple(range(2, x.ndim))) / math.prod(kernel)
    return [top]


def voxel_softmax_loss(given: Given) -> list[np.ndarray]:
    scores, labels = given.bottom
    rows = np.moveaxis(scores, 1, -1).reshape(-1, scores.shape[1])
    total = 0.0
    for row, label in zip(rows.tolist(), labels.ravel().tolist(), strict=True):
        total += math.log(sum(map(math.exp, row))) - row[int(label)]
    return [np.array(total / len(rows))]


NAIVE = {
    "NdPooling": nd_pooling,
    "Pooling3D": pooling3d,
    "PoolingND": pooling_nd,
    "VoxelSoftmaxLoss": voxel_softmax_loss,
}
