"""Arroosh's softmax of many pixels."""

from __future__ import annotations

from caffe_compat.layers.base import Layer
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators


@converts("MultiSoftmax")
def multi_softmax(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    multiple = write.floats(layer.layer_param.mult_softmax_param.max_multiple)
    return [write("Mul", write("Softmax", *bottoms, axis=1), multiple)]
