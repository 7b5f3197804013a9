"""Layers that put several bottoms together, or a bottom and a param of fewer axes, or take one apart."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from caffe_compat.layers.base import TRAIN
from caffe_compat.prototxt.caffe_pb2 import EltwiseParameter
from caffe_compat.rng import Rng
from layers.naive.given import Given, taken, with_axis


def axpy(given: Given) -> list[np.ndarray]:
    a, x, y = given.bottom
    top = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        top[at] = a[at[:2]].item() * x[at] + y[at]
    return [top]


def batch_reindex(given: Given) -> list[np.ndarray]:
    x, indices = given.bottom
    return [taken((len(indices), *x.shape[1:]), lambda at: x[(int(indices[at[0]]), *at[1:])])]


def spread(given: Given, param, axis: int, of: np.ndarray) -> np.ndarray:
    """`of` for each element of the bottom: its axes are those of the bottom from `axis` on."""
    x = given.bottom[0]
    result, first = np.zeros(x.shape), axis % x.ndim
    if len(given.bottom) == 1:
        axes = x.ndim - first if param.num_axes == -1 else param.num_axes
        assert of.shape == x.shape[first : first + axes]
    for at in np.ndindex(x.shape):
        result[at] = of[at[first : first + of.ndim]]
    return result


def bias(given: Given) -> list[np.ndarray]:
    x, *rest = given.bottom
    param = given.param.bias_param
    return [x + spread(given, param, param.axis, (rest or given.blobs)[0])]


def scale(given: Given) -> list[np.ndarray]:
    x, *rest = given.bottom
    param = given.param.scale_param
    factors, *shifts = [*rest, *given.blobs]
    top = x * spread(given, param, param.axis, factors)
    return [top + spread(given, param, param.axis, shifts[0]) if param.bias_term else top]


def bounded_scale(given: Given) -> list[np.ndarray]:
    param, (factors, *shifts) = given.param.scale_param, given.blobs
    least = param.min_value if param.HasField("min_value") else -math.inf
    most = param.max_value if param.HasField("max_value") else math.inf
    kept = np.array([min(max(factor, least), most) for factor in factors.ravel()]).reshape(factors.shape)
    return scale(replace(given, blobs=[kept, *shifts]))


def concat(given: Given) -> list[np.ndarray]:
    param, first = given.param.concat_param, given.bottom[0]
    axis = range(first.ndim)[param.concat_dim if param.HasField("concat_dim") else param.axis]
    places = [(b, i) for b, x in enumerate(given.bottom) for i in range(x.shape[axis])]

    def source(at):
        b, i = places[at[axis]]
        return given.bottom[b][(*at[:axis], i, *at[axis + 1 :])]

    return [taken(with_axis(first.shape, axis, len(places)), source)]


def eltwise(given: Given) -> list[np.ndarray]:
    param, top = given.param.eltwise_param, np.zeros(given.bottom[0].shape)
    coeffs = list(param.coeff) or [1] * len(given.bottom)
    if param.operation == EltwiseParameter.STOCHASTIC_SUM and given.phase == TRAIN:
        draws = np.zeros(len(coeffs), np.float32)
        Rng(given.seed).uniform(0, 1, draws)
        coeffs = [int(u <= c) for u, c in zip(draws, coeffs, strict=True)]
    for at in np.ndindex(top.shape):
        values = [x[at] for x in given.bottom]
        if param.operation == EltwiseParameter.PROD:
            top[at] = math.prod(values)
        elif param.operation == EltwiseParameter.MAX:
            top[at] = max(values)
        else:
            top[at] = sum(c * v for c, v in zip(coeffs, values, strict=True))
    return [top]


def coeff_blob_eltwise(given: Given) -> list[np.ndarray]:
    *terms, weights = given.bottom
    coeffs = list(given.param.eltwise_param.coeff) or [1] * len(terms)
    fixed = weights.ndim - 1
    return [
        taken(
            terms[0].shape,
            lambda at: sum(coeffs[i] * weights[(i, *at[:fixed])] * x[at] for i, x in enumerate(terms)),
        )
    ]


def filter_items(given: Given) -> list[np.ndarray]:
    *items, selector = given.bottom
    kept = [i for i, chosen in enumerate(selector.flat) if chosen]
    return [taken((len(kept), *x.shape[1:]), lambda at, x=x: x[(kept[at[0]], *at[1:])]) for x in items]


def slice_axis(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.slice_param
    axis = range(x.ndim)[param.slice_dim if param.HasField("slice_dim") else param.axis]
    size = x.shape[axis]
    points = list(param.slice_point) or [size // given.tops * i for i in range(1, given.tops)]
    ends = [0, *points, size]
    return [
        taken(
            with_axis(x.shape, axis, ends[i + 1] - ends[i]),
            lambda at, start=ends[i]: x[(*at[:axis], at[axis] + start, *at[axis + 1 :])],
        )
        for i in range(given.tops)
    ]


NAIVE = {
    "Axpy": axpy,
    "BatchReindex": batch_reindex,
    "Bias": bias,
    "Concat": concat,
    "CoeffBlobEltwise": coeff_blob_eltwise,
    "Eltwise": eltwise,
    "Filter": filter_items,
    "Parameter": lambda given: [given.blobs[0].reshape(list(given.param.parameter_param.shape.dim))],
    "BoundedScale": bounded_scale,
    "Scale": scale,
    "Silence": lambda given: [],
    "Slice": slice_axis,
    "Split": lambda given: given.bottom * given.tops,
}
