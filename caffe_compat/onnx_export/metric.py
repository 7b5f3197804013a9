"""Norms of features: NormL2, UnitNormalize."""

from __future__ import annotations

from caffe_compat.layers.base import Layer
from caffe_compat.layers.metric.unit_normalize import UnitNormalize
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import Operators


@converts("NormL2")
def norm_l2(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    x, axes = bottoms[0], write.axes[bottoms[0]]
    squares = write("ReduceSum", write("Mul", x, x), write.ints(list(range(1, axes))), keepdims=1)
    return [write.four_axes(write("Div", x, write("Sqrt", affine(write, squares, shift=1e-7))), axes)]


@converts("UnitNormalize")
def unit_normalize(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, UnitNormalize)
    x, axes = bottoms[0], write.axes[bottoms[0]]
    sizes = write("Mul", x, x) if layer.norm_type == "L2" else write("Abs", x)
    norms = affine(write, write("ReduceSum", sizes, write.ints([1]), keepdims=1), shift=1e-6)
    norms = write("Sqrt", norms) if layer.norm_type == "L2" else norms
    values = [write("Div", x, norms), norms][: layer.tops]
    return [write.four_axes(value, axes) for value in values]
