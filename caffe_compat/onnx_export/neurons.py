"""Layers that change each element by itself."""

from __future__ import annotations

import math

import numpy as np
import onnx

from caffe_compat.layers.base import Layer
from caffe_compat.layers.brelu import BReLU
from caffe_compat.layers.clip import Clip
from caffe_compat.layers.common.logexp import log_of_base
from caffe_compat.layers.guided_dropout import GuidedDropout
from caffe_compat.layers.truncation import Truncation
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators


@converts("Sigmoid", "TanH", "AbsVal", "BNLL", "Cos")
def plain(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    names = {"TanH": "Tanh", "AbsVal": "Abs", "BNLL": "Softplus"}
    return [write(names.get(layer.type, layer.type), *bottoms)]


@converts("ReLU")
def relu(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    slope = layer.layer_param.relu_param.negative_slope
    return [write("LeakyRelu", *bottoms, alpha=slope) if slope else write("Relu", *bottoms)]


@converts("ReLU6")
def relu6(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    slope = layer.layer_param.relu6_param.negative_slope
    if slope:
        return [write("Min", write("LeakyRelu", *bottoms, alpha=slope), write.floats(6))]
    return [write("Clip", *bottoms, write.floats(0), write.floats(6))]


@converts("MinReLU")
def min_relu(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Min", *bottoms, write.floats(0))]


@converts("SeLu")
def selu(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.selu_param
    return [write("Selu", *bottoms, alpha=param.alpha, gamma=getattr(param, "lambda"))]


@converts("PReLU")
def prelu(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    slopes = layer.blobs[0].data
    if not slopes.shape:
        return [write("LeakyRelu", *bottoms, alpha=float(slopes))]
    axes = write.axes[bottoms[0]]
    return [write("PRelu", *bottoms, write.floats(slopes.reshape(-1, *[1] * (axes - 2))))]


@converts("ELU")
def elu(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Elu", *bottoms, alpha=layer.layer_param.elu_param.alpha)]


@converts("Swish")
def swish(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    scaled = affine(write, bottoms[0], scale=layer.layer_param.swish_param.beta)
    return [write("Mul", *bottoms, write("Sigmoid", scaled))]


@converts("BReLU", "Clip")
def clip(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, (BReLU, Clip))
    return [write("Clip", *bottoms, *map(write.floats, layer.limits))]


@converts("Truncation")
def truncation(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Truncation)
    return [write("Clip", *bottoms, write.floats(layer.low), write.floats(layer.high))]


@converts("Threshold")
def threshold(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    above = write("Greater", *bottoms, write.floats(layer.layer_param.threshold_param.threshold))
    return [write("Cast", above, to=onnx.TensorProto.FLOAT)]


@converts("Power")
def power(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.power_param
    if param.power == 0 or param.scale == 0:
        value = np.power(np.float32(param.shift), np.float32(param.power))
        return [write("Expand", write.floats(value), write("Shape", *bottoms))]
    value = affine(write, bottoms[0], param.scale, param.shift)
    return [value if param.power == 1 else write("Pow", value, write.floats(param.power))]


@converts("Exp")
def exp(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.exp_param
    log_base = log_of_base(layer, param.base)
    value = write("Exp", affine(write, bottoms[0], log_base * param.scale))
    return [affine(write, value, scale=math.exp(log_base * param.shift))]


@converts("Log")
def log(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.log_param
    value = write("Log", affine(write, bottoms[0], param.scale, param.shift))
    return [affine(write, value, scale=1 / log_of_base(layer, param.base))]


@converts("SeLuDropout", "SpatialDropout")
def unchanged(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Identity", *bottoms)]


@converts("GuidedDropout")
def guided_dropout(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, GuidedDropout)
    if layer.keeps_all:
        return [write("Identity", bottoms[0])]
    guidance, rest = write.reshape(bottoms[1], 0, -1), list(range(2, write.axes[bottoms[0]]))
    above = write("Greater", guidance, write.floats(layer.param.guidance_threshold))
    keep = write.cast(above, np.float32)
    stay = write("ReduceSum", keep, write.ints([1]), keepdims=1)
    channels = write.cast(write.size(guidance, 1), np.float32)
    factor = write("Mul", keep, write("Div", channels, write("Max", stay, write.floats(1))))
    return [write("Mul", bottoms[0], write("Unsqueeze", factor, write.ints(rest)) if rest else factor)]


@converts("Dropout")
def dropout(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.dropout_param
    if param.sample_weights_test:  # onnxruntime takes ONNX's Dropout away, whatever its training_mode says
        drawn = write("RandomUniformLike", *bottoms)
        kept = write("GreaterOrEqual", drawn, write.floats(param.dropout_ratio))
        scaled = affine(write, bottoms[0], scale=1 / (1 - param.dropout_ratio) if param.scale_train else 1)
        return [write("Where", kept, scaled, write.floats(0))]
    return [affine(write, bottoms[0], scale=1 if param.scale_train else 1 - param.dropout_ratio)]


def affine(write: Operators, value: str, scale: float = 1, shift: float = 0) -> str:
    """scale * value + shift, without operators that change nothing."""
    if scale != 1:
        value = write("Mul", value, write.floats(scale))
    return write("Add", value, write.floats(shift)) if shift else value


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


@converts("ReLUMask")
def relu_mask(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    is_above = write.cast(write("Greater", *bottoms, write.floats(0)), np.float32)
    return [*relu(write, layer, bottoms), is_above][: len(layer.layer_param.top)]
