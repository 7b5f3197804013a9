"""Interp: bilinear resizing that maps corner pixels to corner pixels."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.layer import TorchLayer


@converts("Interp")
def interp(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param, (x,) = this.layer.layer_param.interp_param, bottoms
    height, width = x.shape[2:]
    inner = x[:, :, -param.pad_beg : height + param.pad_end, -param.pad_beg : width + param.pad_end]
    return [F.interpolate(inner, this.shapes[0][2:], mode="bilinear", align_corners=True)]
