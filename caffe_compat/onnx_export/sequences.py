"""Layers for sequences that have a plain form: Transpose, Reverse."""

from __future__ import annotations

from caffe_compat.layers.base import Layer
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators


@converts("Transpose")
def transpose(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Transpose", *bottoms, perm=list(layer.layer_param.transpose_param.dim))]


@converts("Reverse")
def reverse(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    axis = layer.layer_param.reverse_param.axis % write.axes[bottoms[0]]
    return [write.reverse(bottoms[0], axis)]
