"""Bilinear resizing that maps corner pixels to corner pixels, and nearest neighbours."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.bilinear import BilinearLayer
from caffe_compat.layers.upsample import Upsample


@converts("Interp", "BilinearInterpolation")
def interp(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    layer, x = this.layer, bottoms[0]
    assert isinstance(layer, BilinearLayer)
    (begin, end), (height, width) = layer.pads, x.shape[2:]
    inner = x[:, :, -begin : height + end, -begin : width + end]
    return [F.interpolate(inner, this.shapes[0][2:], mode="bilinear", align_corners=True)]


def _is_nearest(layer: Layer) -> bool:
    return isinstance(layer, Upsample) and layer.is_nearest


@converts("Upsample", own_memory=True, fits=_is_nearest)
def upsample(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    layer = this.layer
    assert isinstance(layer, Upsample)
    return [bottoms[0].repeat_interleave(layer.factor, 2).repeat_interleave(layer.factor, 3)]


@converts("Duplicate")
def duplicate(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [bottoms[0].expand(this.shapes[0]).contiguous()]
