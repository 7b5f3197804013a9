"""Activations of mobile nets and of YOLOv4."""

from __future__ import annotations

from caffe_compat.layers.base import Layer
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators


@converts("HSwish", "HardSwish")
def hard_swish(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Mul", *bottoms, write("HardSigmoid", *bottoms, alpha=1 / 6, beta=0.5))]


@converts("HardSigmoid")
def hard_sigmoid(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.hard_sigmoid_param
    return [write("HardSigmoid", *bottoms, alpha=param.alpha, beta=param.beta)]


@converts("Mish")
def mish(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Mul", *bottoms, write("Tanh", write("Softplus", *bottoms)))]
