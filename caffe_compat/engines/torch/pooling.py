"""Pooling, with as many windows as the project's own layer has; zeros or the lowest number surround the maps."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.layers.base import Layer
from caffe_compat.layers.pooling import Pooling
from caffe_compat.prototxt.caffe_pb2 import PoolingParameter

LOWEST = torch.finfo(torch.float32).min  # the maximum of nothing, in Caffe
METHODS = (PoolingParameter.MAX, PoolingParameter.AVE)


def _fits(layer: Layer) -> bool:
    assert isinstance(layer, Pooling)
    return layer.layer_param.pooling_param.pool in METHODS and not layer.over_more_axes


@converts("Pooling", fits=_fits)
def pooling(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    layer, (x,) = this.layer, bottoms
    assert isinstance(layer, Pooling)
    kernel, stride, pad = list(layer._kernel), list(layer._stride), list(layer._pad)
    outs, is_max = this.shapes[0][2:], layer.layer_param.pooling_param.pool == PoolingParameter.MAX
    sides = list(zip(x.shape[2:], outs, kernel, stride, pad, strict=True))
    if len(this.shapes) == 1 and x.numel() and all(_is_ceil(*side) for side in sides):
        call = F.max_pool2d if is_max else F.avg_pool2d
        return [call(x, kernel, stride, pad, ceil_mode=True)]
    behind = [(out - 1) * s + k - size - p for size, out, k, s, p in sides]
    if is_max:
        padded = _padded(x, pad, behind, LOWEST)
        y, place = F.max_pool2d(padded, kernel, stride, return_indices=True)
        y, place = (part[:, :, : outs[0], : outs[1]] for part in (y, place))
        return [y, _places(place, y, padded.shape[3], x.shape[3], pad)] if len(this.shapes) > 1 else [y]
    sums = F.avg_pool2d(_padded(x, pad, behind, 0), kernel, stride, divisor_override=1)
    counts = [_elements(*side, x.device) for side in sides]
    return [sums[:, :, : outs[0], : outs[1]] / (counts[0][:, None] * counts[1])]


def _is_ceil(size: int, out: int, kernel: int, stride: int, pad: int) -> bool:
    """Whether torch's ceil_mode has as many windows along an axis."""
    count = -(-(size + 2 * pad - kernel) // stride) + 1
    return 2 * pad <= kernel and out == count - ((count - 1) * stride >= size + pad)


def _padded(x: Tensor, pad: list[int], behind: list[int], value: float) -> Tensor:
    if not any(pad) and max(behind) <= 0:
        return x
    rows, columns = (max(b, 0) for b in behind)
    return F.pad(x, (pad[1], columns, pad[0], rows), value=value)


def _places(place: Tensor, y: Tensor, padded_width: int, width: int, pad: list[int]) -> Tensor:
    """The flat indices of the maxima in a map, from those in the padded map; -1 where there is no maximum."""
    rows, columns = place // padded_width - pad[0], place % padded_width - pad[1]
    return torch.where(y.detach() > LOWEST, rows * width + columns, -1).float()


def _elements(size: int, out: int, kernel: int, stride: int, pad: int, device: torch.device) -> Tensor:
    """The number of elements that each window has along an axis; padding counts, but nothing beyond it."""
    starts = torch.arange(out, device=device) * stride - pad
    return ((starts + kernel).clamp(max=size + pad) - starts).float()
