"""Layers that multiply bottoms with each other, or with numbers of a file."""

from __future__ import annotations

from functools import reduce

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.coeff_blob_eltwise import CoeffBlobEltwise
from caffe_compat.layers.spatial_transformer.mirror_rotate import MirrorRotate
from caffe_compat.layers.spatial_transformer.power_file import PowerFile
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import Operators


@converts("SpatialProduct", "MaskPooling")
def spatial_product(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Mul", *bottoms)]


@converts("Spfilter")
def spfilter(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    *maps, factors = bottoms
    tops = []
    for x in maps:
        shape = write("Concat", write.ints([0, 1]), write.dims(x, 2, 4), axis=0)
        tops.append(write("Mul", x, write("Reshape", factors, shape)))
    return tops


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


@converts("CoeffBlobEltwise")
def coeff_blob_eltwise(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, CoeffBlobEltwise)
    *terms, coeffs = bottoms
    behind = list(range(write.axes[coeffs] - 1, write.axes[terms[0]]))
    parts = []
    for i, (term, coeff) in enumerate(zip(terms, layer.coeffs, strict=True)):
        row = affine(write, write("Gather", coeffs, write.ints(i), axis=0), float(coeff))
        parts.append(write("Mul", term, write("Unsqueeze", row, write.ints(behind)) if behind else row))
    return [reduce(lambda a, b: write("Add", a, b), parts)]


@converts("PowerFile")
def power_file(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, PowerFile)
    return [write("Add", *bottoms, write.floats(layer.shift))]


@converts("MirrorRotate")
def mirror_rotate(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, MirrorRotate)
    x = bottoms[0]
    if layer.mirrors and not layer.is_back:
        x = write.reverse(x, 3)
    quarters = layer.quarters % 4
    for _ in range(4 - quarters if layer.is_back and quarters else quarters):  # each clockwise
        x = write("Transpose", write.reverse(x, 2), perm=[0, 1, 3, 2])
    if layer.mirrors and layer.is_back:
        x = write.reverse(x, 3)
    return [write("Identity", x)]


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
