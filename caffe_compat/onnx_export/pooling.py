"""Pooling, whose windows are not ONNX's.

With ceil_mode the runtimes do not agree on the last window (OpenCV 5.0 is not as Caffe). So windows are counted by
rounding down, over a pad behind the image that makes this Caffe's number of windows for every size of the image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.padded_pooling import PaddedPooling
from caffe_compat.layers.pooling import rounds_up
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.prototxt.caffe_pb2 import PoolingParameter

Window = tuple[int, int, int]  # kernel, stride, pad


@converts("Pooling")
def pooling(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, x = layer.layer_param.pooling_param, bottoms[0]
    axes = write.axes[x] - 2
    if len(layer.layer_param.top) > 1:
        return _with_positions(write, layer, x, axes)
    if param.pool == PoolingParameter.STOCHASTIC:
        mean, squares = (_pooled(write, layer, y, axes) for y in (x, write("Mul", x, x)))
        is_positive = write("Greater", mean, write.floats(0))
        return [write("Where", is_positive, write("Div", squares, mean), write.floats(0))]
    return [_pooled(write, layer, x, axes)]


def _with_positions(write: Operators, layer: Layer, x: str, axes: int) -> list[str]:
    """The maxima, and the index of each in its map."""
    if layer.layer_param.pooling_param.global_pooling:
        return of_all(write, x, True, axes)
    return maxima_and_places(write, x, windows_of(layer, axes))


def maxima_and_places(write: Operators, x: str, windows: dict[str, list[int]]) -> list[str]:
    maxima, positions = write.many("MaxPool", 2, x, **windows)
    end = 2 + len(windows["strides"])
    pixels = write("ReduceProd", write.dims(x, 2, end), axes=[0], keepdims=1)
    return [maxima, write.cast(write("Mod", positions, pixels), np.float32)]


def _pooled(write: Operators, layer: Layer, x: str, axes: int) -> str:
    """The maximum of each window, or else the mean."""
    param = layer.layer_param.pooling_param
    is_max = param.pool == PoolingParameter.MAX
    if param.global_pooling:
        if axes == 2:
            return write("GlobalMaxPool" if is_max else "GlobalAveragePool", x)
        # OpenCV's global pooling has two axes at most
        return write("ReduceMax" if is_max else "ReduceMean", x, axes=list(range(2, 2 + axes)), keepdims=1)
    windows = windows_of(layer, axes)
    return write("MaxPool", x, **windows) if is_max else means_of(write, x, windows)


def means_of(write: Operators, x: str, windows: dict[str, list[int]]) -> str:
    """The mean of each window over what lies in the padded map."""
    axes = len(windows["strides"])
    pad, behind = windows["pads"][:axes], windows["pads"][axes:]
    if any(pad):  # counts in a mean, unlike what lies behind it
        x = write("Pad", x, write.ints([0, 0, *pad] * 2))
    rest = [*[0] * axes, *(b - p for b, p in zip(behind, pad, strict=True))]
    return write("AveragePool", x, count_include_pad=0, **windows | {"pads": rest})


def windows_of(layer: Layer, axes: int) -> dict[str, list[int]]:
    """The attributes of the operator, over so many axes."""
    param = layer.layer_param.pooling_param
    kernel, stride, pad = (_sizes(param, *names, axes) for names in FIELDS)
    windows = list(zip(kernel, stride, pad, strict=True))
    is_padded = any(pad for _, _, pad in windows)
    behind = [pad_behind(*window, is_padded, rounds_up(param)) for window in windows]
    return attributes_of(layer, windows, behind)


def attributes_of(layer: Layer, windows: Sequence[Window], behind: list[int]) -> dict[str, list[int]]:
    kernel, stride, pad = (list(sizes) for sizes in zip(*windows, strict=True))
    if any(b >= k for b, k in zip(behind, kernel, strict=True)):
        raise layer.error(
            f"cannot be exported to ONNX: with the stride {tuple(stride)}, above the kernel {tuple(kernel)}, the last "
            "window may be empty; set round_mode: FLOOR, or a pad"
        )
    return {"kernel_shape": kernel, "strides": stride, "pads": [*pad, *behind]}


@converts("PaddedPooling")
def padded_pooling(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, PaddedPooling)
    x, sides = bottoms[0], write.ints([0, 0, *layer.before, 0, 0, *layer.behind])
    y = _pooled(write, layer.plain, write("Pad", x, sides, write.floats(layer.padding)), 2)
    if not layer.only_pixels:
        return [y]
    shape = write("Concat", write.ints([1, 1]), write.dims(x, 2, 4), axis=0)
    ones = write("Pad", write("Expand", write.floats(1), shape), sides)
    return [write("Div", y, _pooled(write, layer.plain, ones, 2))]


def of_all(write: Operators, x: str, is_max: bool, axes: int) -> list[str]:
    """The maxima of N x C x ... maps and their places, or the means."""
    over = list(range(2, 2 + axes))
    if not is_max:
        return [write("ReduceMean", x, axes=over, keepdims=1)]
    maxima = write("ReduceMax", x, axes=over, keepdims=1)
    places = write("ArgMax", write.reshape(x, 0, 0, -1), axis=2, keepdims=1)
    return [maxima, write("Reshape", write.cast(places, np.float32), write("Shape", maxima))]


FIELDS = ("kernel_size", "kernel"), ("stride", "stride"), ("pad", "pad")


def _sizes(param: PoolingParameter, field: str, prefix: str, axes: int) -> tuple[int, ...]:
    if param.HasField(f"{prefix}_h"):
        return getattr(param, f"{prefix}_h"), getattr(param, f"{prefix}_w")
    return (getattr(param, field),) * axes


def pad_behind(kernel: int, stride: int, pad: int, is_padded: bool, rounds_up: bool) -> int:
    """The pad behind an axis with which rounding down gives Caffe's number of windows, for every size n.

    Caffe rounds (n + 2 pad - kernel) / stride up: so does rounding down with stride - 1 more. Where there is any
    padding, only windows that start before n + pad count: these are (n + pad - 1) / stride + 1, rounded down, which
    is what a pad of kernel - 1 gives. The smaller pad gives the smaller number.
    """
    if not rounds_up:
        return pad
    return min(pad + stride - 1, kernel - 1) if is_padded else stride - 1
