"""Layers that change each element by itself; Dropout's masks come from masks.py."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.brelu import BReLU
from caffe_compat.layers.clip import Clip
from caffe_compat.layers.common.logexp import log_of_base
from caffe_compat.layers.selu import SeLu


@converts("ReLU")
def relu(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    slope = this.layer.layer_param.relu_param.negative_slope
    if slope:
        return [F.leaky_relu(bottoms[0], slope)]
    return [F.relu(bottoms[0], inplace=this.in_place)]


@converts("ReLU6")
def relu6(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [F.leaky_relu(bottoms[0], this.layer.layer_param.relu6_param.negative_slope).clamp(max=6)]


@converts("MinReLU")
def min_relu(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [bottoms[0].clamp(max=0)]


@converts("SeLu")
def selu(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    (x,), layer = bottoms, this.layer
    assert isinstance(layer, SeLu)
    low = layer.alpha * torch.expm1(x.clamp(max=0))
    return [layer.scale * torch.where(x > 0, x, low)]


@converts("PReLU")
def prelu(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [F.prelu(bottoms[0], params[0].reshape(-1))]


@converts("ELU")
def elu(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    (x,), alpha = bottoms, this.layer.layer_param.elu_param.alpha
    return [torch.where(x > 0, x, alpha * (torch.exp(x.clamp(max=0)) - 1))]


@converts("Sigmoid")
def sigmoid(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [torch.sigmoid(bottoms[0])]


@converts("TanH")
def tanh(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [torch.tanh(bottoms[0])]


@converts("AbsVal")
def absval(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [bottoms[0].abs()]


@converts("Cos")
def cos(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [bottoms[0].cos()]


@converts("BNLL")
def bnll(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [F.softplus(bottoms[0])]


@converts("Swish")
def swish(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [bottoms[0] * torch.sigmoid(this.layer.layer_param.swish_param.beta * bottoms[0])]


@converts("BReLU", "Clip")
def clip(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    layer = this.layer
    assert isinstance(layer, (BReLU, Clip))
    return [bottoms[0].clamp(*map(float, layer.limits))]


@converts("Threshold")
def threshold(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [(bottoms[0] > this.layer.layer_param.threshold_param.threshold).float()]


@converts("Power")
def power(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param, (x,) = this.layer.layer_param.power_param, bottoms
    if param.power == 0 or param.scale == 0:
        return [torch.full_like(x, param.shift).pow(param.power)]
    y = param.scale * x + param.shift
    return [y if param.power == 1 else y.pow(param.power)]


@converts("Exp")
def exp(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param = this.layer.layer_param.exp_param
    log_base = log_of_base(this.layer, param.base)
    return [torch.exp(bottoms[0] * (log_base * param.scale)) * math.exp(log_base * param.shift)]


@converts("Log")
def log(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param = this.layer.layer_param.log_param
    return [torch.log(bottoms[0] * param.scale + param.shift) / log_of_base(this.layer, param.base)]


def _draws_in_training_only(layer: Layer) -> bool:
    return layer.phase == TRAIN or not layer.layer_param.dropout_param.sample_weights_test


@converts("Dropout", fits=_draws_in_training_only, traceable=False)
def dropout(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param, (x,) = this.layer.layer_param.dropout_param, bottoms
    keep = 1 - param.dropout_ratio
    if this.layer.phase != TRAIN:
        return [x if param.scale_train else x * keep]
    mask = this.masks.draw(x, keep) if this.kept is None else this.kept
    y = x.mul_(mask) if this.in_place else x * mask
    return [y.mul_(1 / keep) if param.scale_train else y]


@converts("HSwish", "HardSwish")
def hard_swish(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [F.hardswish(bottoms[0])]


@converts("HardSigmoid")
def hard_sigmoid(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param = this.layer.layer_param.hard_sigmoid_param
    return [(param.alpha * bottoms[0] + param.beta).clamp(0, 1)]


@converts("Mish")
def mish(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [F.mish(bottoms[0])]
