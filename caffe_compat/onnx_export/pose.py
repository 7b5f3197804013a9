"""OpenPose's layers behind the heat maps: ImResize and Nms."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from caffe_compat.layers.base import Layer
from caffe_compat.layers.pose.nms import REACH
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import END, Operators


@converts("ImResize")
def im_resize(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    """A Loop over the scales, whose sum it takes."""
    param, maps = layer.layer_param.imresize_param, bottoms[0]
    if param.factor:
        counts = [
            write.cast(write("Mul", write.size(maps, axis), write.floats(param.factor)), np.int64)
            for axis in (2, 3)
        ]
    else:
        counts = [write.ints([param.target_spatial_height]), write.ints([param.target_spatial_width])]
    scales = write.dims(maps, 0, 1)
    nothing = write("Expand", write.floats(0), write("Concat", write.dims(maps, 1, 2), *counts, axis=0))
    inner = Operators(onnx.GraphProto(name=f"{write.scope}: one scale"), write.fresh(f"{write.scope}:loop"))
    turn, go_on, before = (f"{inner.scope}:{name}" for name in ("turn", "go_on", "before"))
    gap = inner("Mul", inner.cast(turn, np.float32), inner.floats(param.scale_gap))
    part = inner("Add", inner.floats(np.float32(1) - np.float32(param.start_scale)), gap)
    resized = inner("Gather", maps, turn, axis=0)
    for axis, count in zip((1, 2), counts, strict=True):
        resized = _resized(inner, resized, axis, count, part)
    described, three = helper.make_tensor_value_info, [None] * 3
    inner.graph.input.append(described(turn, TensorProto.INT64, []))
    inner.graph.input.append(described(go_on, TensorProto.BOOL, []))
    inner.graph.input.append(described(before, TensorProto.FLOAT, three))
    inner.graph.output.append(described(inner("Identity", go_on), TensorProto.BOOL, []))
    inner.graph.output.append(described(inner("Add", before, resized), TensorProto.FLOAT, three))
    yes = write("Cast", write.ints(1), to=TensorProto.BOOL)
    turns = write("Squeeze", scales, write.ints([0]))
    total = write.many("Loop", 1, turns, yes, nothing, body=inner.graph)[0]
    mean = write("Div", total, write.cast(scales, np.float32))
    return [write("Unsqueeze", mean, write.ints([0]))]


def _resized(write: Operators, maps: str, axis: int, count: str, part: str) -> str:
    """C x H x W maps, less what this part of half an axis cuts off at both ends, with `count` pixels along it."""
    half = write.cast(write("Div", write.dims(maps, axis, axis + 1), write.ints([2])), np.float32)
    pad = write("Floor", write("Mul", half, part))
    size = write("Sub", write.size(maps, axis), write("Mul", pad, write.floats(2)))
    number = write.cast(count, np.float32)
    offset = affine(write, write("Div", write("Div", number, size), write.floats(2)), shift=-0.5)
    pixels = write.cast(write.count_up(count), np.float32)
    places = write("Mul", write("Sub", pixels, offset), write("Div", size, number))
    last, zero, one = write("Sub", size, write.floats(1)), write.floats(0), write.floats(1)
    second = write("Max", write("Floor", affine(write, places, shift=1e-5)), zero)
    first = write("Max", write("Sub", second, one), zero)
    third = write("Min", write("Add", second, one), last)
    fourth = write("Min", write("Add", third, one), last)
    total = None
    for pixel, weight in zip(
        (first, second, third, fourth), _cubic(write, write("Sub", places, second)), strict=True
    ):
        value = write("Gather", maps, write.cast(write("Add", pixel, pad), np.int64), axis=axis)
        if axis == 1:
            weight = write("Unsqueeze", weight, write.ints([1]))
        value = write("Mul", weight, value)
        total = value if total is None else write("Add", total, value)
    assert total is not None
    return total


def _cubic(write: Operators, x: str) -> list[str]:
    """What four pixels in a row weigh at a place x behind the second."""
    square = write("Mul", x, x)
    return [
        write("Mul", affine(write, write("Mul", affine(write, x, -0.5, 1), x), shift=-0.5), x),
        affine(write, write("Mul", affine(write, x, 1.5, -2.5), square), shift=1),
        write("Mul", affine(write, write("Mul", affine(write, x, -1.5, 2), x), shift=0.5), x),
        write("Mul", affine(write, x, 0.5, -0.5), square),
    ]


@converts("Nms")
def nms(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.nms_param
    maps = write.slice(bottoms[0], 0, param.num_parts, 1)
    peaks = write.reshape(_peaks(write, maps, param.threshold), 0, 0, -1)
    pixels = write.count_up(write.dims(peaks, 2, 3))
    flags = write.cast(peaks, np.int64)
    # the first peaks have the largest numbers
    order = write("Mul", flags, write("Sub", write.dims(peaks, 2, 3), pixels))
    most = write("Min", write.ints([param.max_peaks]), write.dims(peaks, 2, 3))
    numbers, places = write.many("TopK", 2, order, most, axis=2)
    is_peak = write("Greater", numbers, write.ints(0))
    columns = [*_centres(write, maps), write.reshape(maps, 0, 0, -1)]
    found = [
        write("Where", is_peak, write("GatherElements", column, places, axis=2), write.floats(0))
        for column in columns
    ]
    rows = write("Concat", *(write("Unsqueeze", column, write.ints([3])) for column in found), axis=3)
    missing = write("Sub", write.ints([param.max_peaks]), most)
    pads = write("Concat", write.ints([0] * 6), missing, write.ints([0]), axis=0)
    counts = write.cast(write("ReduceSum", flags, write.ints([2]), keepdims=1), np.float32)
    head = write("Pad", write("Unsqueeze", counts, write.ints([3])), write.ints([0] * 7 + [2]))
    return [write("Concat", head, write("Pad", rows, pads), axis=2)]


def _peaks(write: Operators, maps: str, threshold: float) -> str:
    """Flags, in the shape of the maps: above the threshold and the eight neighbours, and not at the border."""
    inner = _shifted(write, maps, 1, 1)
    is_peak = write("Greater", inner, write.floats(threshold))
    for dy, dx in np.ndindex(3, 3):
        if (dy, dx) != (1, 1):
            is_peak = write("And", is_peak, write("Greater", inner, _shifted(write, maps, dy, dx)))
    padded = write("Pad", write.cast(is_peak, np.float32), write.ints([0, 0, 1, 1] * 2))
    return write("Greater", padded, write.floats(0))


def _shifted(write: Operators, maps: str, dy: int, dx: int) -> str:
    """The maps without two rows and two columns, dy and dx of which are the first."""
    starts, ends = ([dy, dx], [dy - 2 or END, dx - 2 or END])
    return write("Slice", maps, *map(write.ints, (starts, ends, [2, 3])))


def _centres(write: Operators, maps: str) -> list[str]:
    """x and y, N x C x H W each: the mean place of what is around each pixel, weighted; itself where nothing is."""
    rows, columns = write("Unsqueeze", write.places(maps, 2), write.ints([1])), write.places(maps, 3)
    inside = write("And", *(write("Greater", places, write.floats(0)) for places in (rows, columns)))
    scores = write("Where", inside, write("Relu", maps), write.floats(0))
    planes = write("Concat", write.ints([-1, 1]), write.dims(maps, 2, 4), axis=0)
    window, reach = 2 * REACH + 1, [REACH] * 4
    ones = write.floats(np.ones((1, 1, window, window)))
    total, *sums = (
        write("Reshape", write("Conv", write("Reshape", x, planes), ones, pads=reach), write("Shape", maps))
        for x in (scores, write("Mul", scores, columns), write("Mul", scores, rows))
    )
    result = []
    for places, weighted in zip((columns, rows), sums, strict=True):
        itself = write("Expand", places, write("Shape", maps))
        has_any = write("Greater", total, write.floats(0))
        centre = write("Where", has_any, write("Div", weighted, total), itself)
        result.append(write.reshape(centre, 0, 0, -1))
    return result
