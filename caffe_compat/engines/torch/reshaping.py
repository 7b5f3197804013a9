"""Layers that return their bottom in another shape, or a part of it; the project's own layer has worked out which."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.layers.crop import Crop
from caffe_compat.layers.crop_center import CropCenter
from caffe_compat.layers.dtow import Dtow
from caffe_compat.layers.merge_crop import MergeCrop
from caffe_compat.layers.patch_reshape import PatchReshape
from caffe_compat.layers.permute import Permute
from caffe_compat.layers.shuffle_channel import ShuffleChannel


@converts("Reshape", "Flatten")
def reshape(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [bottoms[0].reshape(this.shapes[0])]


@converts("Gather", "Scatter")
def one_process(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return list(bottoms)


@converts("Permute")
def permute(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    assert isinstance(this.layer, Permute)
    return [bottoms[0].permute(this.layer.order).contiguous()]


@converts("ShuffleChannel")
def shuffle_channel(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    assert isinstance(this.layer, ShuffleChannel)
    return [bottoms[0].reshape(this.layer.groups).transpose(1, 2).reshape(bottoms[0].shape)]


@converts("Tiling")
def tiling(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [F.pixel_shuffle(bottoms[0], this.layer.layer_param.tiling_param.tile_dim)]


@converts("PatchReshape", own_memory=True)
def patch_reshape(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    layer = this.layer
    assert isinstance(layer, PatchReshape)
    patches = bottoms[0].reshape(layer.view).permute(0, 3, 4, 2, 5, 1)
    return [patches.contiguous().reshape(this.shapes[0])]


@converts("Dtow")
def dtow(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    layer, (x,) = this.layer, bottoms
    assert isinstance(layer, Dtow)
    channels = torch.as_tensor(layer.channels(layer.deep), device=x.device)
    if layer.to_width:
        return [F.pixel_shuffle(x[:, channels], layer.size)]
    return [F.pixel_unshuffle(x, layer.size)[:, torch.argsort(channels)]]


@converts("Crop", "AutoCrop")
def crop(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    assert isinstance(this.layer, Crop)
    return [bottoms[0][this.layer._part].contiguous()]


@converts("CropCenter")
def crop_center(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    assert isinstance(this.layer, CropCenter)
    return [bottoms[0][this.layer.part].contiguous()]


@converts("MergeCrop")
def merge_crop(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    layer, parts = this.layer, []
    assert isinstance(layer, MergeCrop)
    for part, counts, learns in zip(
        (bottoms[0], bottoms[1][layer.middle]), layer.counts, layer.learns, strict=True
    ):
        part = part if learns else part.detach()
        parts.append(part if counts else part - part.detach())
    return [parts[0] + parts[1] if layer.adds else torch.cat(parts, 1)]


@converts("Tile")
def tile(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param = this.layer.layer_param.tile_param
    return [torch.cat(bottoms * param.tiles, param.axis)]
