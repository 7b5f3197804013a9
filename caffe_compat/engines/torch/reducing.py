"""Reduction, ChannelReduce."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.prototxt.caffe_pb2 import ChannelReduceParameter, ReductionParameter


@converts("Reduction")
def reduction(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param, (x,) = this.layer.layer_param.reduction_param, bottoms
    rows = x.reshape(*x.shape[: param.axis % x.ndim], -1)
    if param.operation == ReductionParameter.MEAN:
        return [rows.mean(-1) * param.coeff]
    if param.operation == ReductionParameter.ASUM:
        rows = rows.abs()
    elif param.operation == ReductionParameter.SUMSQ:
        rows = rows.square()
    return [rows.sum(-1) * param.coeff]


@converts("ChannelReduce")
def channel_reduce(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param, (x,) = this.layer.layer_param.channel_reduce_param, bottoms
    groups = x.unflatten(1, (param.num_channels, -1))
    if param.operation == ChannelReduceParameter.SUM:
        return [groups.sum(2)]
    return [groups.max(2).values]
