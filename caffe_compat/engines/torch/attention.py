"""Layers that weigh the pixels around each pixel."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.layers.attention.att_pooling import AttPooling
from caffe_compat.layers.attention.pixel_conv import PixelConv
from caffe_compat.layers.attention.taps import Square


def _pixels(x: Tensor, window: Square) -> Tensor:
    """N x C x k k x windows."""
    pixels = F.unfold(x, window.kernel, window.dilation, window.pad, window.stride)
    return pixels.reshape(*x.shape[:2], window.kernel**2, -1)


@converts("AttPooling")
def att_pooling(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    assert isinstance(this.layer, AttPooling)
    pixels, weights = _pixels(bottoms[0], this.layer.window), bottoms[1].flatten(2)
    if this.layer.is_global:
        y = pixels[..., 0] @ weights
    else:
        y = (pixels * weights[:, None]).sum(dim=2)
    return [y.reshape(this.shapes[0])]


@converts("PixelConv")
def pixel_conv(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    assert isinstance(this.layer, PixelConv)
    pixels = _pixels(bottoms[1], this.layer.window)
    return [(pixels * bottoms[0].reshape(pixels.shape)).sum(dim=2).reshape(this.shapes[0])]
