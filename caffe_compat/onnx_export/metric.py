"""Features or weights divided by their norms, norms, and distances."""

from __future__ import annotations

from collections.abc import Iterable

from caffe_compat.layers.base import Layer
from caffe_compat.layers.metric.inner_distance import InnerDistance
from caffe_compat.layers.metric.normalized_inner_product import to_unit_rows
from caffe_compat.layers.metric.unit_normalize import UnitNormalize
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.filters import product
from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import Operators


@converts("NormL2")
def norm_l2(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write.four_axes(of_length_one(write, *bottoms), write.axes[bottoms[0]])]


def of_length_one(write: Operators, x: str) -> str:
    """Rows of x divided by their lengths."""
    sums = squares(write, x, range(1, write.axes[x]))
    return write("Div", x, write("Sqrt", affine(write, sums, shift=1e-7)))


@converts("Norm")
def norm(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    (x,) = bottoms
    norms = affine(write, write("Sqrt", squares(write, x, [1])), shift=1e-6)
    return [write.four_axes(write("Div", x, norms), write.axes[x])]


def squares(write: Operators, x: str, axes: Iterable[int]) -> str:
    """The sums of the squares over these axes, which stay with a dim of 1."""
    return write("ReduceSum", write("Mul", x, x), write.ints(list(axes)), keepdims=1)


@converts("UnitNormalize")
def unit_normalize(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, UnitNormalize)
    x, axes = bottoms[0], write.axes[bottoms[0]]
    sizes = write("Mul", x, x) if layer.norm_type == "L2" else write("Abs", x)
    norms = affine(write, write("ReduceSum", sizes, write.ints([1]), keepdims=1), shift=1e-6)
    norms = write("Sqrt", norms) if layer.norm_type == "L2" else norms
    values = [write("Div", x, norms), norms][: layer.tops]
    return [write.four_axes(value, axes) for value in values]


@converts("InnerDistance")
def inner_distance(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, InnerDistance)
    param, x = layer.layer_param.inner_distance_param, bottoms[0]
    if len(bottoms) > 1:
        centres = write.reshape(bottoms[1], -1, layer.inputs)
    else:
        rows = layer.blobs[0].data.reshape(-1, layer.inputs).copy()
        if param.normalize:
            to_unit_rows(rows)
        centres = write.floats(rows)
    rows = write.reshape(x, -1, 1, layer.inputs)
    difference = write("Sub", rows, centres)
    sizes = write("Mul", difference, difference) if layer.squared else write("Abs", difference)
    y = write("ReduceSum", sizes, write.ints([2]), keepdims=0)
    if len(layer.blobs) > 1:
        y = write("Add", y, write.param(layer.blobs[1]))
    axis = param.axis % write.axes[x]
    return [write("Reshape", y, write("Concat", write.dims(x, 0, axis), write.ints([-1]), axis=0))]


@converts("NormalizedInnerProduct")
def normalized_inner_product(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    weights = layer.blobs[0].data.copy()
    to_unit_rows(weights.reshape(layer.layer_param.inner_product_param.num_output, -1))
    return [product(write, layer, bottoms[0], weights)]
