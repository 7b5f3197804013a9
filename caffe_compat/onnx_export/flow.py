"""FlowNet2's layers."""

from __future__ import annotations

from caffe_compat.layers.base import Layer
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.metric import squares
from caffe_compat.onnx_export.operators import Operators


@converts("NegReLU")
def neg_relu(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    slope = layer.layer_param.relu_param.negative_slope
    return [write("Neg", write("LeakyRelu", write("Neg", *bottoms), alpha=slope))]


@converts("ChannelNorm")
def channel_norm(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Sqrt", squares(write, bottoms[0], [1]))]
