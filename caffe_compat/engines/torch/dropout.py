"""Dropout, with masks from masks.py."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.layers.base import TRAIN


@converts("Dropout")
def dropout(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param, (x,) = this.layer.layer_param.dropout_param, bottoms
    keep = 1 - param.dropout_ratio
    if this.layer.phase != TRAIN:
        return [x if param.scale_train else x * keep]
    mask = this.masks.draw(x, keep) if this.kept is None else this.kept
    y = x.mul_(mask) if this.in_place else x * mask
    return [y.mul_(1 / keep) if param.scale_train else y]
