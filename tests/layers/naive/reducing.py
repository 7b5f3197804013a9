"""Layers that make one number of many, or a few: Reduction, ArgMax."""

from __future__ import annotations

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import ReductionParameter
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


NAIVE = {
    "ArgMax": arg_max,
    "Reduction": reduction,
}
