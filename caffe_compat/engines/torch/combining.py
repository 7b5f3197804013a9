"""Layers that combine several bottoms, or a bottom with a param of fewer axes, or split a bottom."""

from __future__ import annotations

from functools import reduce

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.layers.base import Layer
from caffe_compat.layers.eltwise import Eltwise
from caffe_compat.prototxt.caffe_pb2 import EltwiseParameter


def _draws_nothing(layer: Layer) -> bool:
    assert isinstance(layer, Eltwise)
    return not layer.draws


@converts("Eltwise", fits=_draws_nothing, own_memory=True)
def eltwise(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param = this.layer.layer_param.eltwise_param
    if param.operation == EltwiseParameter.PROD:
        return [reduce(torch.mul, bottoms)]
    if param.operation in (EltwiseParameter.SUM, EltwiseParameter.STOCHASTIC_SUM):
        coeffs = list(param.coeff) or [1] * len(bottoms)
        return [reduce(torch.add, (x if c == 1 else c * x for c, x in zip(coeffs, bottoms, strict=True)))]
    first, second, *others = bottoms
    y = torch.where(first > second, first, second)  # of equal values the second's, but no later one's
    return [reduce(lambda y, x: torch.where(x > y, x, y), others, y)]


@converts("Concat")
def concat(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param = this.layer.layer_param.concat_param
    return [torch.cat(bottoms, param.concat_dim if param.HasField("concat_dim") else param.axis)]


@converts("Slice")
def slice_(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param, (x,) = this.layer.layer_param.slice_param, bottoms
    axis = param.slice_dim if param.HasField("slice_dim") else param.axis
    if param.slice_point:
        return list(torch.tensor_split(x, list(param.slice_point), axis))
    return list(torch.tensor_split(x, len(this.shapes), axis))


@converts("Split")
def split(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [bottoms[0].view_as(bottoms[0]) for _ in this.shapes]


@converts("Silence")
def silence(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return []


@converts("Parameter")
def parameter(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [params[0].clone()]


@converts("Scale", own_memory=True)
def scale(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param, x = this.layer.layer_param.scale_param, bottoms[0]
    factor, *bias = [*bottoms[1:], *params]
    if factor.ndim == 1 and x.ndim > 1 and param.axis % x.ndim == 1:  # one pass over x, forward and backward
        mean, variance = torch.zeros_like(factor), torch.ones_like(factor)
        return [F.batch_norm(x, mean, variance, factor, bias[0] if bias else None, eps=0)]
    y = x * _beside(factor, x, param.axis)
    return [y + _beside(bias[0], x, param.axis) if bias else y]


@converts("Bias")
def bias(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    x, values = [*bottoms, *params]
    return [x + _beside(values, x, this.layer.layer_param.bias_param.axis)]


def _beside(values: Tensor, x: Tensor, axis: int) -> Tensor:
    """The values with axes of length 1 appended, so that they broadcast over x's axes from `axis` on."""
    if values.ndim == 0:
        return values
    behind = x.ndim - axis % x.ndim - values.ndim
    return values.reshape(*values.shape, *[1] * behind)


@converts("Axpy")
def axpy(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    a, x, y = bottoms
    return [a.reshape(*x.shape[:2], *[1] * (x.ndim - 2)) * x + y]
