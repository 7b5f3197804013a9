"""Arroosh's softmax of many pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.layer import TorchLayer


@converts("MultiSoftmax", fits=lambda layer: layer.layer_param.mult_softmax_param.max_multiple == 1)
def multi_softmax(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [torch.softmax(bottoms[0], 1)]
