"""Layers of single papers."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.combination import Combination
from caffe_compat.layers.division import Division
from caffe_compat.layers.eliwise_product import EliwiseProduct
from caffe_compat.layers.linear_transform import LinearTransform
from caffe_compat.layers.scale_tanh import ScaleTanH
from caffe_compat.layers.sum_pooling import SumPooling
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.filters import inner_product
from caffe_compat.onnx_export.metric import squares
from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.onnx_export.pooling import windows_of


@converts("LinearTransform")
def linear_transform(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, LinearTransform)
    return inner_product(write, layer.product, bottoms)


@converts("FuseInnerProduct")
def fuse_inner_product(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return inner_product(write, layer, bottoms) * 2


@converts("EliwiseProduct")
def eliwise_product(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, EliwiseProduct)
    y = affine(write, bottoms[0], scale=float(layer.blobs[0].data[0]))
    return [write.reshape(y, *[0] * layer.axis, -1)]


@converts("ScaleTanH")
def scale_tanh(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, ScaleTanH)
    return [write("Tanh", affine(write, bottoms[0], layer.scale))]


@converts("Division")
def division(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Division)
    tops = []
    for tile in layer.tiles:
        starts, ends = zip(*((part.start, part.stop) for part in tile[2:]), strict=True)
        tops.append(write("Slice", *bottoms, write.ints(starts), write.ints(ends), write.ints([2, 3])))
    return tops


@converts("L2Norm")
def l2_norm(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    norm = write("Sqrt", squares(write, bottoms[0], range(1, write.axes[bottoms[0]])))
    return [write("Div", *bottoms, affine(write, norm, shift=layer.layer_param.l2norm_param.eps))]


@converts("Intranorm")
def intranorm(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    parts = write.reshape(bottoms[0], 0, layer.layer_param.intranorm_param.cluster_num, -1)
    norms = write("Sqrt", affine(write, squares(write, parts, [2]), shift=1e-12))
    return [write("Reshape", write("Div", parts, norms), write("Shape", *bottoms))]


@converts("GradientSilent")
def gradient_silent(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return bottoms[:1]


@converts("Combination")
def combination(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Combination)
    starts = [[part.start for part in tile[2:]] for tile in layer.tiles]
    size = write("Add", write.dims(bottoms[-1], 2, 4), write.ints(starts[-1]))
    total = write("Expand", write.floats(0), write("Concat", write.dims(bottoms[0], 0, 2), size, axis=0))
    for x, start in zip(bottoms, starts, strict=True):  # the last one counts
        behind = write("Sub", size, write("Add", write.dims(x, 2, 4), write.ints(start)))
        pads = write("Concat", write.ints([0, 0, *start, 0, 0]), behind, axis=0)
        one = write("Expand", write.floats(1), write("Shape", x))
        is_there = write("Greater", write("Pad", one, pads), write.floats(0))
        total = write("Where", is_there, write("Pad", x, pads), total)
    return [total]


@converts("Mask")
def mask(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    maps, marks = bottoms
    channels = write.dims(maps, 1, 2)
    shape = write("Concat", channels, write.ints([-1]), axis=0)
    pixels = write("Transpose", write("Reshape", maps, shape), perm=[1, 0])
    marked = write("GreaterOrEqual", write.reshape(marks, -1), write.floats(1))
    return [write("Unsqueeze", write("Compress", pixels, marked, axis=0), write.ints([2, 3]))]


@converts("Spfilter")
def spfilter(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    *maps, factors = bottoms
    tops = []
    for x in maps:
        shape = write("Concat", write.ints([0, 1]), write.dims(x, 2, 4), axis=0)
        tops.append(write("Mul", x, write("Reshape", factors, shape)))
    return tops


@converts("OuterProduct")
def outer_product(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    a, b = write.reshape(bottoms[0], 0, -1, 1, 1), write.reshape(bottoms[1], 0, 1, -1, 1)
    return [write("Mul", a, b)]


@converts("FilterSum")
def filter_sum(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    product = write("MatMul", write.reshape(bottoms[1], 0, 1, -1), write.reshape(bottoms[0], 0, 0, -1))
    shape = write("Concat", write.ints([0, 1]), write.dims(bottoms[0], 2, 4), axis=0)
    return [write("Reshape", product, shape)]


@converts("LinearSum")
def linear_sum(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    product = write("MatMul", write.reshape(bottoms[0], 0, 0, -1), write.reshape(bottoms[1], 0, -1, 1))
    return [write("Squeeze", product, write.ints([2]))]


@converts("MatrixProd")
def matrix_prod(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    left, right = bottoms
    rows = write("Concat", write.dims(right, 0, 1), write.ints([-1]), write.dims(right, 1, 2), axis=0)
    shape = write("Concat", write.dims(left, 0, 2), write.dims(right, 2, 3), axis=0)
    return [write("Reshape", write("MatMul", write("Reshape", left, rows), right), shape)]


@converts("Similarity")
def similarity(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Gemm", *(write("Flatten", bottom, axis=1) for bottom in bottoms), transB=1)]


@converts("WordSum")
def word_sum(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    weights, *bias = layer.blobs
    y = write("MatMul", write.param(weights), bottoms[0])
    return [write("Add", y, write.floats(bias[0].data.reshape(weights.num, -1))) if bias else y]


@converts("Netvlad")
def netvlad(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    shares, x = (write.reshape(bottom, 0, 0, -1) for bottom in bottoms)
    of_pixels = write("MatMul", shares, write("Transpose", x, perm=[0, 2, 1]))
    total = write("ReduceSum", shares, write.ints([2]), keepdims=1)
    sums = write("Add", of_pixels, write("Mul", total, write.param(layer.blobs[0])))
    return [write("Flatten", sums, axis=1)]


@converts("Convert")
def convert(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    x = write.reshape(bottoms[0], 0, 0, -1)
    steps = write("Transpose", x, perm=[2, 0, 1])
    if len(layer.layer_param.top) == 1:
        return [steps]
    number = write("Unsqueeze", write.count_up(write.dims(steps, 0, 1)), write.ints([1]))
    goes_on = write.cast(write("Greater", number, write.ints(0)), np.float32)
    return [steps, write("Expand", goes_on, write.dims(steps, 0, 2))]


@converts("ReverseTime")
def reverse_time(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    x, lengths = bottoms
    whole = write.cast(lengths, np.int64)
    y = write("ReverseSequence", x, write("Max", whole, write.ints(1)), time_axis=0, batch_axis=1)
    if layer.layer_param.reverse_time_param.copy_remaining:
        return [y]
    step = write("Unsqueeze", write.count_up(write.dims(x, 0, 1)), write.ints([1]))
    counts = write("Less", step, whole)
    if write.axes[x] > 2:
        counts = write("Unsqueeze", counts, write.ints(list(range(2, write.axes[x]))))
    return [write("Where", counts, y, write.floats(0))]


@converts("SumPooling")
def sum_pooling(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, SumPooling)
    x = bottoms[0]
    if layer.pooling.layer_param.pooling_param.global_pooling:
        return [write("ReduceSum", x, write.ints([2, 3]), keepdims=1)]
    windows = windows_of(layer.pooling, 2)
    return [
        affine(
            write, write("AveragePool", x, count_include_pad=1, **windows), math.prod(windows["kernel_shape"])
        )
    ]
