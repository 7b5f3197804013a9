"""Layers that normalise: BN, BatchNorm, LRN, MVN, Normalize, Softmax."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.layers.base import TEST
from caffe_compat.prototxt.caffe_pb2 import BNParameter
from layers.naive.given import Given, lines
from layers.test_lrn import naive as normalized_by_neighbours


def batch_norm(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.batch_norm_param
    total, squares, weight, *learned = given.blobs
    learns = param.scale_bias or param.HasField("scale_filler") or param.HasField("bias_filler")
    assert len(learned) == 2 * learns
    fixed = param.use_global_stats if param.HasField("use_global_stats") else given.phase == TEST
    rows = lines(x, 1) if x.ndim > 1 else x.reshape(-1, 1, 1)
    for c in range(rows.shape[1]):
        values = rows[:, c].ravel().tolist()
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / len(values)
        if fixed:
            mean, variance = total[c] / weight.item(), squares[c] / weight.item()
        rows[:, c] = (rows[:, c] - mean) / math.sqrt(variance + param.eps)
        if learned:
            rows[:, c] = rows[:, c] * learned[0][c] + learned[1][c]
    return [rows.reshape(x.shape)]


def bn(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.bn_param
    scale, shift, *averages = (blob.ravel() for blob in given.blobs)
    inference = param.bn_mode == BNParameter.INFERENCE
    fixed = averages and (param.frozen or (given.phase == TEST and param.moving_average))
    rows = lines(x, 1)
    stats = np.zeros((2, rows.shape[1]))
    for c in range(rows.shape[1]):
        values = rows[:, c].ravel().tolist()
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / len(values)
        if fixed:
            mean, variance = averages[0][c], averages[1][c]
        if not inference:
            stats[:, c] = mean, variance
            eps = param.eps if averages else 1e-9
            rows[:, c] = (rows[:, c] - mean) / math.sqrt(variance + eps)
        rows[:, c] = rows[:, c] * scale[c] + shift[c]
    return [rows.reshape(x.shape), *stats.reshape(2, 1, -1, 1, 1)][: given.tops]


def cudnn_batch_norm(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.cudnn_batch_norm_param
    top, (scale, bias, means, variances) = x.copy(), [blob.ravel() for blob in given.blobs]
    for c in range(x.shape[1]):
        mean, variance = means[c], variances[c]
        if not param.frozen and given.phase != TEST:
            mean, variance = x[:, c].mean(), x[:, c].var()
        top[:, c] = (x[:, c] - mean) / math.sqrt(variance + max(param.eps, 1e-5)) * scale[c] + bias[c]
    return [top]


def group_norm(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.group_norm_param
    top, each = x.copy(), x.shape[1] // (param.group or param.group_num)
    for n, c in np.ndindex(x.shape[:2]):
        first = c // each * each
        values = x[n, first : first + each].ravel().tolist()
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / len(values)
        top[n, c] = (x[n, c] - mean) / math.sqrt(variance + param.eps)
        if given.blobs:
            top[n, c] = top[n, c] * given.blobs[0].ravel()[c] + given.blobs[1].ravel()[c]
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
    "BN": bn,
    "CuDNNBatchNorm": cudnn_batch_norm,
    "GroupNorm": group_norm,
    "BatchNorm": batch_norm,
    "LRN": lrn,
    "MVN": mvn,
    "Normalize": normalize,
    "Softmax": softmax,
}
