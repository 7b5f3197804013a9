"""Activations of mobile nets and of YOLOv4."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.layer import TorchLayer


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
