"""Layers of segaware's Caffe, which learn how alike neighbouring pixels are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import Im2distParameter
from layers.naive.given import Given

FAR = np.finfo(np.float32).max / np.float32(100)


def along(param, name: str, axis: int, default: int) -> int:
    values = list(getattr(param, "kernel_size" if name == "kernel" else name))
    side = f"{name}_{'hw'[axis]}"
    if name != "dilation" and param.HasField(side):
        return getattr(param, side)
    return values[axis % len(values)] if values else default


def windows(param, shape) -> Iterator[tuple[int, int, int, tuple[int, int], tuple[int, int]]]:
    """Place, row and column of the top; the window's middle and its pixel."""
    kernel, stride, pad, step = (
        [along(param, name, axis, default) for axis in (0, 1)]
        for name, default in (("kernel", 1), ("stride", 1), ("pad", 0), ("dilation", 1))
    )
    outs = [(shape[a] + 2 * pad[a] - step[a] * (kernel[a] - 1) - 1) // stride[a] + 1 for a in (0, 1)]
    for y, x in np.ndindex(*outs):
        corner = y * stride[0] - pad[0], x * stride[1] - pad[1]
        middle = corner[0] + kernel[0] // 2 * step[0], corner[1] + kernel[1] // 2 * step[1]
        for i, j in np.ndindex(*kernel):
            yield i * kernel[1] + j, y, x, middle, (corner[0] + i * step[0], corner[1] + j * step[1])


def shaped(found: dict[tuple[int, int, int, int], float]) -> np.ndarray:
    top = np.zeros([max(index) + 1 for index in zip(*found, strict=True)])
    for index, value in found.items():
        top[index] = value
    return top


def im2dist(given: Given) -> list[np.ndarray]:
    (x,), param, found = given.bottom, given.param.im2dist_param, {}
    for n, image in enumerate(x):
        inside = {*np.ndindex(*image.shape[1:])}
        for place, row, column, middle, here in windows(given.param.convolution_param, image.shape[1:]):
            value = 0.0
            if middle in inside and here == middle and param.remove_center:
                value = FAR
            elif middle in inside and here in inside:
                off = [abs(c[middle] - c[here]) for c in image]
                value = sum(off) if param.norm == Im2distParameter.L1 else sum(d * d for d in off) / 2
            elif middle in inside and param.remove_bounds:
                value = FAR
            found[n, place, row, column] = value
    return [shaped(found)]


def im2parity(given: Given) -> list[np.ndarray]:
    (x,), param, found = given.bottom, given.param.im2parity_param, {}
    ignored = param.ignore_label if param.HasField("ignore_label") else None
    for n, image in enumerate(x):
        pixels = {place: int(image[-1][place]) for place in np.ndindex(*image.shape[1:])}
        for place, row, column, middle, here in windows(given.param.convolution_param, image.shape[1:]):
            pair = pixels.get(here, 0), pixels.get(middle)
            value = float(pair[0] == pair[1])
            if middle not in pixels or (ignored is not None and ignored in pair):
                value = ignored or 0
            found[n, place, row, column] = value
    return [shaped(found)]


def dist_loss(given: Given) -> list[np.ndarray]:
    param, total = given.param.dist_loss_param, 0.0
    for distance, parity in zip(*(blob.ravel().tolist() for blob in given.bottom), strict=True):
        if not (param.HasField("ignore_label") and int(parity) == param.ignore_label):
            total += max(distance - param.alpha, 0) if int(parity) else max(param.beta - distance, 0)
    return [np.array(total / given.bottom[0].size)]


NAIVE = {"DistLoss": dist_loss, "Im2dist": im2dist, "Im2parity": im2parity}
