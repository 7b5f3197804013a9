"""Layers of optical flow: FlowNet2's, PWC-Net's, LiteFlowNet's."""

from __future__ import annotations

from functools import reduce

import numpy as np
from onnx import TensorProto

from caffe_compat.layers.base import Layer
from caffe_compat.layers.flow.accum import Accum
from caffe_compat.layers.flow.correlation import Correlation
from caffe_compat.layers.flow.exp_max import ExpMax
from caffe_compat.layers.flow.mean import Mean
from caffe_compat.layers.flow.resample import REACH
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.metric import squares
from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.onnx_export.rois import rounded
from caffe_compat.onnx_export.sampling import Places, bilinear, last_pixels, within
from caffe_compat.prototxt.caffe_pb2 import (
    AccumParameter,
    CorrelationParameter,
    FlowWarpParameter,
    MeanParameter,
    ResampleParameter,
)

BOOL = TensorProto.BOOL


@converts("NegReLU")
def neg_relu(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    slope = layer.layer_param.relu_param.negative_slope
    return [write("Neg", write("LeakyRelu", write("Neg", *bottoms), alpha=slope))]


@converts("ChannelNorm")
def channel_norm(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Sqrt", squares(write, bottoms[0], [1]))]


@converts("NegSquare")
def neg_square(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Neg", write("Mul", *bottoms * 2))]


@converts("ExpMax")
def exp_max(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, ExpMax)
    below = write("Sub", *bottoms, write("ReduceMax", *bottoms, axes=[1], keepdims=1))
    return [affine(write, write("Exp", affine(write, below, float(layer.inner))), float(layer.outer))]


@converts("FlowEltwise")
def flow_eltwise(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [affine(write, bottoms[0], layer.layer_param.eltwise_param.coeff[0])]


@converts("Mean")
def mean(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Mean)
    param, tops = layer.layer_param.mean_param, []
    sign = -1 if param.operation == MeanParameter.SUBTRACT else 1
    for bottom in bottoms:
        parts = write.dims(bottom, 1, 2)
        again = write(
            "Concat", write("Div", parts, write.ints([len(layer.mean)])), write.ints([1, 1]), axis=0
        )
        shift = write("Tile", write.floats(param.mean_scale * sign * layer.mean), again)
        values = write("Add", affine(write, bottom, param.input_scale), shift)
        tops.append(affine(write, values, param.output_scale))
    return tops


@converts("Grid")
def grid(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    maps = bottoms[0]
    rows, columns = _pixels(write, maps)
    size = write("Concat", write.dims(maps, 0, 1), write.ints([1]), write.dims(maps, 2, 4), axis=0)
    return [write("Concat", *(write("Expand", places, size) for places in (columns, rows)), axis=1)]


def _pixels(write: Operators, maps: str) -> Places:
    """Where the pixels are: rows, H x 1, and columns, W."""
    return write("Unsqueeze", write.places(maps, 2), write.ints([1])), write.places(maps, 3)


@converts("Correlation", "Correlation1D")
def correlation(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Correlation)
    param, pads, reaches = layer.layer_param.correlation_param, layer.pads, layer.reaches
    further = max(0, -min(right for _, right in layer.shifts) - reaches[1])  # than the padding of both
    first, second = (
        write("Pad", x, write.ints([0, 0, pads[0], pads[1] + more, 0, 0, *pads]))
        for x, more in zip(bottoms, (0, further), strict=True)
    )
    ends = [write("Sub", write.dims(first, 2 + i, 3 + i), write.ints([reaches[i]])) for i in (0, 1)]
    here = _part(write, first, reaches, ends)
    fits = []
    for down, right in layer.shifts:
        start = reaches[0] + down, reaches[1] + right + further
        moved = [
            write("Add", end, write.ints([by])) for end, by in zip(ends, (down, right + further), strict=True)
        ]
        there = _part(write, second, start, moved)
        if param.correlation_type == CorrelationParameter.SUBTRACT:
            fit = write("Abs", write("Sub", here, there))
        else:
            fit = write("Mul", here, there)
        fits.append(write("ReduceMean", fit, axes=[1], keepdims=1))
    kernel, stride = [param.kernel_size] * 2, [param.stride_1] * 2
    fit = write("Concat", *fits, axis=1) if len(fits) > 1 else fits[0]
    return [write("AveragePool", fit, kernel_shape=kernel, strides=stride)]


def _part(write: Operators, maps: str, starts: tuple[int, int], ends: list[str]) -> str:
    """Rows and columns of maps."""
    return write("Slice", maps, write.ints(starts), write("Concat", *ends, axis=0), write.ints([2, 3]))


@converts("FlowWarp")
def flow_warp(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    outside = np.nan if layer.layer_param.flow_warp_param.fill_value == FlowWarpParameter.NOT_A_NUMBER else 0
    ends = write.size(bottoms[0], 2), write.size(bottoms[0], 3)
    return [_warped(write, bottoms, ends, "Less", outside)]


@converts("Warp")
def warp(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [_warped(write, bottoms, last_pixels(write, bottoms[0]), "LessOrEqual", 0)]


def _warped(write: Operators, bottoms: list[str], ends: tuple[str, str], before: str, outside: float) -> str:
    """Maps where a flow leads, which is right of 0 and up to the ends; `outside` elsewhere."""
    maps, flow = bottoms
    moves = (write("Gather", flow, write.ints(i), axis=1) for i in (1, 0))
    rows, columns = (
        write.reshape(write("Add", pixel, move), 0, -1)
        for pixel, move in zip(_pixels(write, maps), moves, strict=True)
    )
    inside = write("Unsqueeze", within(write, (rows, columns), ends, before), write.ints([1]))
    values = write("Where", inside, bilinear(write, maps, (rows, columns)), write.floats(outside))
    return write("Reshape", values, write("Shape", maps))


@converts("Resample")
def resample(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, x = layer.layer_param.resample_param, bottoms[0]
    if len(bottoms) > 1:
        counts = [write.dims(bottoms[1], axis, axis + 1) for axis in (2, 3)]
    else:
        counts = [write.ints([param.height]), write.ints([param.width])]
    factors = [
        write("Div", write.size(x, axis), write.cast(count, np.float32))
        for axis, count in zip((2, 3), counts, strict=True)
    ]
    half, places = write.floats(0.5), []
    for count, factor, other in zip(counts, factors, factors[::-1], strict=True):
        steps = write("Mul", write.cast(write.count_up(count), np.float32), factor)
        places.append(write("Sub", write("Add", steps, write("Mul", other, half)), half))
    for axis, place, factor in zip((2, 3), places, factors, strict=True):
        if param.type == ResampleParameter.NEAREST:
            last = write("Sub", write.size(x, axis), write.floats([1]))
            pixel = write("Min", write("Max", rounded(write, place), write.floats(0)), last)
            x = write("Gather", x, write.cast(pixel, np.int64), axis=axis)
        else:
            x = _mean_around(write, layer, x, axis, place, factor, factors)
    return [x]


def _mean_around(
    write: Operators, layer: Layer, x: str, axis: int, places: str, factor: str, factors: list[str]
) -> str:
    """The weighted means around places along an axis; NaN where a pixel that weighs something is NaN."""
    weights = _weights(write, layer, x, axis, places, factor, factors)
    is_nan = write("IsNaN", x)
    mean = _product(write, weights, write("Where", is_nan, write.floats(0), x), axis)
    counts = write.cast(write("Cast", weights, to=BOOL), np.float32)
    missing = _product(write, counts, write.cast(is_nan, np.float32), axis)
    return write("Where", write("Greater", missing, write.floats(0)), write.floats(np.nan), mean)


def _product(write: Operators, weights: str, x: str, axis: int) -> str:
    """The sums along an axis (2 or 3) by places x pixels of weights."""
    if axis == 2:
        return write("MatMul", weights, x)
    return write("MatMul", x, write("Transpose", weights, perm=[1, 0]))


def _weights(
    write: Operators, layer: Layer, x: str, axis: int, places: str, factor: str, factors: list[str]
) -> str:
    """What each pixel along an axis weighs at each of the places."""
    param, one = layer.layer_param.resample_param, write.floats([1])
    scale = one
    if param.antialias:
        scale = write("Div", one, write("Where", write("Greater", write("Max", *factors), one), factor, one))
    reach = write("Ceil", write("Div", write.floats([REACH[param.type]]), scale))
    reach = write("Where", write("Less", factor, one), write.floats([2]), reach)
    column, pixels = write("Unsqueeze", places, write.ints([1])), write.places(x, axis)
    steps = write("Abs", write("Sub", pixels, rounded(write, column)))
    distance = write("Abs", write("Mul", scale, write("Sub", column, pixels)))
    weigh = _cubic if param.type == ResampleParameter.CUBIC else _triangle
    weights = write("Mul", scale, weigh(write, distance))
    weights = write("Where", write("LessOrEqual", steps, reach), weights, write.floats(0))
    total = write("ReduceSum", weights, write.ints([1]), keepdims=1)
    return write("Div", weights, write("Where", write("Equal", total, write.floats(0)), one, total))


def _triangle(write: Operators, x: str) -> str:
    return write("Relu", write("Sub", write.floats(1), x))


def _cubic(write: Operators, x: str) -> str:
    near = write("Mul", write("Mul", x, x), affine(write, x, 1.5, -2.5))
    far = write("Mul", x, affine(write, write("Mul", x, affine(write, x, -0.5, 2.5)), shift=-4))
    is_near, is_far = (write("LessOrEqual", x, write.floats(1)), write("Less", x, write.floats(2)))
    far = write("Where", is_far, affine(write, far, shift=2), write.floats(0))
    return write("Where", is_near, affine(write, near, shift=1), far)


@converts("Accum")
def accum(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Accum)
    param, used = layer.layer_param.accum_param, bottoms[: layer.used]
    sizes = _sizes(write, param, bottoms)
    how = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    parts = [
        write("Resize", x, "", "", write("Concat", write.dims(x, 0, 2), sizes, axis=0), **how) for x in used
    ]
    return [write("Concat", *parts, axis=1)]


def _sizes(write: Operators, param: AccumParameter, bottoms: list[str]) -> str:
    """Height and width of the top."""
    if param.have_reference:
        return write.dims(bottoms[-1], 2, 4)
    largest = reduce(lambda a, b: write("Max", a, b), (write.dims(x, 2, 4) for x in bottoms))
    if param.HasField("size_divisible_by"):
        step = write.ints(param.size_divisible_by)
        up = write("Sub", write("Add", largest, step), write.ints(1))
        wanted = write("Mul", write("Div", up, step), step)
    else:
        wanted = write.ints([param.top_height, param.top_width])
    larger = write.cast(write("Greater", wanted, largest), np.int64)
    both = write("Cast", write("ReduceProd", larger, axes=[0], keepdims=1), to=BOOL)
    return write("Where", both, wanted, largest)
