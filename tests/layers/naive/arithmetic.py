"""Layers that combine, scale, normalise and sum up."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.layers.base import TEST
from caffe_compat.prototxt.caffe_pb2 import EltwiseParameter, ReductionParameter
from layers.naive.given import Given, lines
from layers.test_lrn import naive as normalized_by_neighbours


def axpy(given: Given) -> list[np.ndarray]:
    a, x, y = given.bottom
    top = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        top[at] = a[at[:2]].item() * x[at] + y[at]
    return [top]


def batch_norm(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.batch_norm_param
    total, squares, weight = given.blobs
    fixed = param.use_global_stats if param.HasField("use_global_stats") else given.phase == TEST
    rows = lines(x, 1) if x.ndim > 1 else x.reshape(-1, 1, 1)
    for c in range(rows.shape[1]):
        values = rows[:, c].ravel().tolist()
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / len(values)
        if fixed:
            mean, variance = total[c] / weight.item(), squares[c] / weight.item()
        rows[:, c] = (rows[:, c] - mean) / math.sqrt(variance + param.eps)
    return [rows.reshape(x.shape)]


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


def eltwise(given: Given) -> list[np.ndarray]:
    param, top = given.param.eltwise_param, np.zeros(given.bottom[0].shape)
    coeffs = list(param.coeff) or [1] * len(given.bottom)
    for at in np.ndindex(top.shape):
        values = [x[at] for x in given.bottom]
        if param.operation == EltwiseParameter.PROD:
            top[at] = math.prod(values)
        elif param.operation == EltwiseParameter.MAX:
            top[at] = max(values)
        else:
            top[at] = sum(c * v for c, v in zip(coeffs, values, strict=True))
    return [top]


def embed(given: Given) -> list[np.ndarray]:
    (numbers,), param = given.bottom, given.param.embed_param
    weights, *shift = given.blobs
    assert weights.shape == (param.input_dim, param.num_output) and len(shift) == param.bias_term
    top = np.zeros((*numbers.shape, param.num_output))
    for at in np.ndindex(top.shape):
        top[at] = weights[int(numbers[at[:-1]]), at[-1]] + (shift[0][at[-1]] if shift else 0)
    return [top]


def inner_product(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.inner_product_param
    weights, *shift = given.blobs
    assert len(shift) == param.bias_term
    first = param.axis % x.ndim
    top = np.zeros((*x.shape[:first], param.num_output))
    for at in np.ndindex(top.shape):
        *row, m = at
        products = (
            v * (weights[k, m] if param.transpose else weights[m, k])
            for k, v in enumerate(x[tuple(row)].ravel())
        )
        top[at] = sum(products) + (shift[0][m] if shift else 0)
    return [top]


def lrn(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    return [normalized_by_neighbours(given.param.lrn_param, x, np.zeros(x.shape))[0]]


def mvn(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.mvn_param
    rows = x.reshape(x.shape[0] * (1 if param.across_channels else x.shape[1]), -1).copy()
    for row in rows:
        mean = sum(row) / len(row)
        deviation = math.sqrt(sum((v - mean) ** 2 for v in row) / len(row)) + param.eps
        row[:] = [(v - mean) / (deviation if param.normalize_variance else 1) for v in row]
    return [rows.reshape(*x.shape, *[1] * (4 - x.ndim))]


def normalize(given: Given) -> list[np.ndarray]:
    (x,), (factors,), param = given.bottom, given.blobs, given.param.norm_param
    top = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        image = x[at[0]]
        squares = [v**2 for v in (image if param.across_spatial else image[(slice(None), *at[2:])]).ravel()]
        factor = factors if param.channel_shared else factors[at[1]]
        top[at] = factor * x[at] / math.sqrt(sum(squares) + param.eps)
    return [top]


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


def softmax_lines(x: np.ndarray, axis: int) -> np.ndarray:
    """outer x size x inner: the softmax along the axis."""
    rows = lines(x, axis)
    for i, k in np.ndindex(rows.shape[0], rows.shape[2]):
        powers = [math.exp(v - max(rows[i, :, k])) for v in rows[i, :, k]]
        rows[i, :, k] = [p / sum(powers) for p in powers]
    return rows


def softmax(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    return [softmax_lines(x, given.param.softmax_param.axis).reshape(x.shape)]


NAIVE = {
    "Axpy": axpy,
    "BatchNorm": batch_norm,
    "Bias": bias,
    "Eltwise": eltwise,
    "Embed": embed,
    "InnerProduct": inner_product,
    "LRN": lrn,
    "MVN": mvn,
    "Normalize": normalize,
    "Reduction": reduction,
    "Scale": scale,
    "Softmax": softmax,
}
