"""HWGQ-Net's layers: filters of signs, and steps."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.hwgq.quant import Quant
from caffe_compat.layers.hwgq.signs import signs
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.filters import filtered, product
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.prototxt.caffe_pb2 import BinaryConvolutionParameter, BinaryInnerProductParameter


@converts("BinaryConvolution")
def binary_convolution(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    filters = _binarized(layer.blobs[0].data, layer.layer_param.binary_convolution_param)
    return filtered("Conv", write, layer, bottoms, write.floats(filters))


@converts("BinaryInnerProduct")
def binary_inner_product(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    weights = _binarized(layer.blobs[0].data, layer.layer_param.binary_inner_product_param)
    return [product(write, layer, bottoms[0], weights)]


def _binarized(
    weights: np.ndarray, param: BinaryConvolutionParameter | BinaryInnerProductParameter
) -> np.ndarray:
    return signs(weights, param.use_alpha) if param.use_binarization else weights


@converts("Quant")
def quant(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Quant)
    x, param, zero = bottoms[0], layer.param, write.floats(0)
    if param.forward_func == "sign":
        return [write("Where", write("GreaterOrEqual", x, zero), write.floats(1), write.floats(-1))]
    if param.forward_func == "hard_tanh":
        return [write("Clip", x, write.floats(-1), write.floats(1))]
    if param.forward_func == "relu":
        return [write("LeakyRelu", x, alpha=param.negative_slope)]
    levels = write.floats(layer.centers[0])
    for between, step in zip((layer.centers[:-1] + layer.centers[1:]) / 2, layer.centers[1:], strict=True):
        levels = write("Where", write("Greater", x, write.floats(between)), write.floats(step), levels)
    return [write("Where", write("Greater", x, zero), levels, write.floats(-param.negative_slope))]
