"""Layers that put several bottoms together, or a bottom and a param of fewer axes, or take one apart."""

from __future__ import annotations

import itertools
from functools import reduce

import numpy as np
import onnx

from caffe_compat.layers.base import Layer
from caffe_compat.layers.coeff_blob_eltwise import CoeffBlobEltwise
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import END, Operators
from caffe_compat.prototxt.caffe_pb2 import EltwiseParameter

ELTWISE = {
    EltwiseParameter.PROD: "Mul",
    EltwiseParameter.SUM: "Add",
    EltwiseParameter.MAX: "Max",
    EltwiseParameter.STOCHASTIC_SUM: "Add",  # in testing
}


@converts("Eltwise")
def eltwise(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.eltwise_param
    coeffs = param.coeff or [1] * len(bottoms)
    terms = [affine(write, bottom, coeff) for bottom, coeff in zip(bottoms, coeffs, strict=True)]
    return [reduce(lambda a, b: write(ELTWISE[param.operation], a, b), terms)]


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


@converts("Concat")
def concat(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.concat_param
    axis = param.concat_dim if param.HasField("concat_dim") else param.axis
    return [write("Concat", *bottoms, axis=axis % write.axes[bottoms[0]])]


@converts("Slice")
def slice_(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, tops = layer.layer_param.slice_param, len(layer.layer_param.top)
    axis = (param.slice_dim if param.HasField("slice_dim") else param.axis) % write.axes[bottoms[0]]
    if not param.slice_point:
        return write.many("Split", tops, *bottoms, axis=axis) if tops > 1 else bottoms
    points = [0, *param.slice_point, END]
    return [write.slice(bottoms[0], start, end, axis) for start, end in itertools.pairwise(points)]


@converts("Scale")
def scale(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, params = layer.layer_param.scale_param, list(layer.blobs)
    if len(bottoms) > 1:
        factor = _value_beside(write, bottoms[1], bottoms[0], param.axis)
    else:
        factor = _param_beside(write, params.pop(0).data, bottoms[0], param.axis)
    y = write("Mul", bottoms[0], factor)
    if not param.bias_term:
        return [y]
    return [write("Add", y, _param_beside(write, params[0].data, bottoms[0], param.axis))]


@converts("BoundedScale")
def bounded_scale(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, values = layer.layer_param.scale_param, layer.blobs[0].data
    least, most = (
        getattr(param, name) if param.HasField(name) else None for name in ("min_value", "max_value")
    )
    bounded = np.clip(values, least, most) if (least, most) != (None, None) else values
    y = write("Mul", bottoms[0], _param_beside(write, bounded, bottoms[0], param.axis))
    if not param.bias_term:
        return [y]
    return [write("Add", y, _param_beside(write, layer.blobs[1].data, bottoms[0], param.axis))]


@converts("Bias")
def bias(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    axis = layer.layer_param.bias_param.axis
    if len(bottoms) > 1:
        return [write("Add", bottoms[0], _value_beside(write, bottoms[1], bottoms[0], axis))]
    return [write("Add", bottoms[0], _param_beside(write, layer.blobs[0].data, bottoms[0], axis))]


def _axes_behind(write: Operators, axes: int, x: str, axis: int) -> int:
    """How many axes x has behind those that values of so many axes stand for, from `axis` on."""
    return write.axes[x] - axis % write.axes[x] - axes if axes else 0


def _param_beside(write: Operators, values: np.ndarray, x: str, axis: int) -> str:
    behind = _axes_behind(write, values.ndim, x, axis)
    return write.floats(values.reshape(values.shape + (1,) * behind))


def _value_beside(write: Operators, value: str, x: str, axis: int) -> str:
    axes = write.axes[value]
    behind = _axes_behind(write, axes, x, axis)
    return write("Unsqueeze", value, write.ints(list(range(axes, axes + behind)))) if behind else value


@converts("Axpy")
def axpy(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    factors, x, y = bottoms
    axes = write.axes[x]
    if write.axes[factors] != axes:
        factors = write.reshape(factors, 0, 0, *[1] * (axes - 2))
    return [write("Add", write("Mul", factors, x), y)]


@converts("BatchReindex")
def batch_reindex(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    indices = write("Cast", bottoms[1], to=onnx.TensorProto.INT64)
    return [write("Gather", bottoms[0], indices, axis=0)]


@converts("Split")
def split(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return bottoms * len(layer.layer_param.top)


@converts("Silence")
def silence(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return []


@converts("Parameter")
def parameter(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Identity", write.param(layer.blobs[0]))]
