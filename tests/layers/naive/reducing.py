"""Layers that make one number of many, or a few: Reduction, BatchReduction, ArgMax."""

from __future__ import annotations

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import ChannelReduceParameter, ReductionParameter
from layers.naive.given import Given, lines, with_axis


def arg_max(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.argmax_param
    along = param.HasField("axis")
    axis = range(x.ndim)[param.axis]
    rows = lines(x, axis) if along else x.reshape(x.shape[0], -1, 1)
    found = np.zeros((2, rows.shape[0], param.top_k, rows.shape[2]))
    for i, k in np.ndindex(rows.shape[0], rows.shape[2]):
        best = sorted(((v, c) for c, v in enumerate(rows[i, :, k].tolist())), reverse=True)
        for rank, (value, c) in enumerate(best[: param.top_k]):
            found[:, i, rank, k] = c, value
    if along:
        return [found[int(param.out_max_val)].reshape(with_axis(x.shape, axis, param.top_k))]
    kinds = found if param.out_max_val else found[:1]
    return [np.stack([kind[:, :, 0] for kind in kinds], axis=1).reshape(len(x), len(kinds), param.top_k)]


def batch_reduction(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.batch_reduction_param
    operation, k, axis = param.reduction_param.operation, param.reduction_param.k, param.reduction_param.axis
    x = np.moveaxis(x, axis, 0)
    if param.pos:
        x = np.stack([np.moveaxis(x[i], axis, 0)[i] for i in range(len(x))])
    levels = [level * level for level in param.level] if list(param.level) not in ([], [1]) else [len(x)]
    parts, rest = [], list(x)
    assert sum(levels) == len(rest)
    for level in levels:
        part, rest = np.array(rest[:level]), rest[level:]
        if operation == ReductionParameter.TOPK:
            part = np.sort(part, axis=0)[-k:]
        mean = operation != ReductionParameter.SUM
        parts.append(sum(part) / (len(part) if mean else 1))
    if list(param.level) in ([], [1]):
        return [parts[0]]
    return [np.stack(parts, axis=axis)]


def reduction(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.reduction_param
    top = np.zeros(x.shape[: param.axis % x.ndim])
    for at in np.ndindex(top.shape):
        values = x[at].ravel().tolist()
        if param.operation == ReductionParameter.ASUM:
            values = [abs(v) for v in values]
        elif param.operation == ReductionParameter.SUMSQ:
            values = [v * v for v in values]
        mean = param.operation == ReductionParameter.MEAN
        top[at] = param.coeff * sum(values) / (len(values) if mean else 1)
    return [top]


def channel_reduce(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.channel_reduce_param
    each = x.shape[1] // param.num_channels
    fold = sum if param.operation == ChannelReduceParameter.SUM else lambda rows: np.max(list(rows), axis=0)
    return [
        np.stack([fold(x[:, c * each + k] for k in range(each)) for c in range(param.num_channels)], axis=1)
    ]


NAIVE = {
    "ChannelReduce": channel_reduce,
    "ArgMax": arg_max,
    "BatchReduction": batch_reduction,
    "Reduction": reduction,
}
