"""Layers of FlowNet2."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np

from caffe_compat.layers.base import TEST
from caffe_compat.prototxt.caffe_pb2 import (
    BlobProto,
    CorrelationParameter,
    FlowWarpParameter,
    MeanParameter,
    ResampleParameter,
)
from caffe_compat.rng import caffe_rng, set_random_seed
from layers.naive.given import Given, taken


def correlation(given: Given) -> list[np.ndarray]:
    return _correlation(given, rows=True)


def correlation_1d(given: Given) -> list[np.ndarray]:
    return _correlation(given, rows=False)


def _correlation(given: Given, rows: bool) -> list[np.ndarray]:
    (a, b), param = given.bottom, given.param.correlation_param
    radius, size = param.max_displacement // param.stride_2, param.kernel_size
    steps = range(-radius, radius + 1)
    if rows:
        shifts = [(down, right) for down in steps for right in steps]
    elif param.single_direction:
        shifts = [
            (0, i) for i in (range(-radius - 1, 0) if param.single_direction < 0 else range(radius + 1))
        ]
    else:
        shifts = [(0, i) for i in steps]
    reach = param.max_displacement
    first = reach if rows else 0, reach
    pads = param.pad if rows else 0, param.pad
    counts = [
        math.ceil((n + 2 * pad - 2 * start - size + 1) / param.stride_1)
        for n, pad, start in zip(a.shape[2:], pads, first, strict=True)
    ]

    def pixel(maps, n, c, i, j):
        i, j = i - pads[0], j - pads[1]
        return maps[n, c, i, j] if 0 <= i < maps.shape[2] and 0 <= j < maps.shape[3] else 0.0

    def value(at):
        n, channel, i, j = at
        down, right = (step * param.stride_2 for step in shifts[channel])
        total = 0.0
        for c, di, dj in itertools.product(range(a.shape[1]), range(size), range(size)):
            y, x = i * param.stride_1 + first[0] + di, j * param.stride_1 + first[1] + dj
            one, other = pixel(a, n, c, y, x), pixel(b, n, c, y + down, x + right)
            total += (
                abs(one - other) if param.correlation_type == CorrelationParameter.SUBTRACT else one * other
            )
        return total / (size * size * a.shape[1])

    return [taken((len(a), len(shifts), *counts), value)]


def flow_warp(given: Given) -> list[np.ndarray]:
    (x, flow), param = given.bottom, given.param.flow_warp_param
    height, width = x.shape[2:]

    def value(at):
        n, c, i, j = at
        column, row = j + flow[n, 0, i, j], i + flow[n, 1, i, j]
        if not (0 <= row < height and 0 <= column < width):
            return math.nan if param.fill_value == FlowWarpParameter.NOT_A_NUMBER else 0.0
        top, left = int(row), int(column)
        return sum(
            x[n, c, min(top + a, height - 1), min(left + b, width - 1)]
            * (row - top if a else 1 - row + top)
            * (column - left if b else 1 - column + left)
            for a in (0, 1)
            for b in (0, 1)
        )

    return [taken(x.shape, value)]


def warp(given: Given) -> list[np.ndarray]:
    x, flow = given.bottom
    height, width = x.shape[2:]

    def value(at):
        n, c, i, j = at
        column, row = j + flow[n, 0, i, j], i + flow[n, 1, i, j]
        if not (0 <= row <= height - 1 and 0 <= column <= width - 1):
            return 0.0
        return sum(
            x[n, c, a, b] * max(0, 1 - abs(row - a)) * max(0, 1 - abs(column - b))
            for a in range(height)
            for b in range(width)
        )

    return [taken(x.shape, value)]


def warping(given: Given) -> list[np.ndarray]:
    x, flow = given.bottom
    height, width = x.shape[2:]

    def value(at):
        n, c, i, j = at
        column, row = j + flow[n, 0, i, j], i + flow[n, 1, i, j]
        total = 0.0
        for a in range(-9, height + 9):
            for b in range(-9, width + 9):
                share = max(0, 1 - abs(row - a)) * max(0, 1 - abs(column - b))
                total += share * x[n, c, max(0, min(a, height - 1)), max(0, min(b, width - 1))]
        return total

    return [taken(x.shape, value)]


def warping_of_images(given: Given) -> list[np.ndarray]:
    x, right, down = given.bottom
    height, width = x.shape[2:]

    def value(at):
        n, c, i, j = at
        column, row = j + right[n, 0, i, j], i + down[n, 0, i, j]
        left, top = math.floor(column), math.floor(row)
        if left < 0 or top < 0 or left + 1 > width - 1 or top + 1 > height - 1:
            return 0.0
        upper = (left + 1 - column) * x[n, c, top, left] + (column - left) * x[n, c, top, left + 1]
        lower = (left + 1 - column) * x[n, c, top + 1, left] + (column - left) * x[n, c, top + 1, left + 1]
        return (top + 1 - row) * upper + (row - top) * lower

    return [taken(x.shape, value)]


def channel_norm(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    shape = (len(x), 1, *x.shape[2:])
    return [taken(shape, lambda at: math.sqrt(sum(v * v for v in x[at[0], :, at[2], at[3]])))]


def neg_relu(given: Given) -> list[np.ndarray]:
    (x,), slope = given.bottom, given.param.relu_param.negative_slope
    return [taken(x.shape, lambda at: min(x[at], 0) + slope * max(x[at], 0))]


def mean(given: Given) -> list[np.ndarray]:
    param = given.param.mean_param
    sign = -1 if param.operation == MeanParameter.SUBTRACT else 1
    numbers = np.array(param.value).reshape(-1, 1, 1)
    if param.HasField("file"):
        with open(param.file, "rb") as file:
            blob = BlobProto.FromString(file.read())
        numbers = np.array(blob.data).reshape(blob.shape.dim)

    def value(x, at):
        plane = numbers[at[1] % len(numbers)]
        number = plane[at[2], at[3]] if param.HasField("file") else plane[0, 0]
        return param.output_scale * (param.input_scale * x[at] + param.mean_scale * sign * number)

    return [taken(x.shape, lambda at, x=x: value(x, at)) for x in given.bottom]


def between(plane: np.ndarray, row: float, column: float) -> float:
    """A bilinear sample within the map."""
    total = 0.0
    for i in {math.floor(row), math.ceil(row)}:
        for j in {math.floor(column), math.ceil(column)}:
            total += plane[i, j] * (1 - abs(row - i)) * (1 - abs(column - j))
    return total


def accum(given: Given) -> list[np.ndarray]:
    param, bottoms = given.param.accum_param, given.bottom
    height, width = (max(x.shape[axis] for x in bottoms) for axis in (2, 3))
    wanted = param.top_height, param.top_width
    if param.HasField("size_divisible_by"):
        wanted = tuple(
            math.ceil(n / param.size_divisible_by) * param.size_divisible_by for n in (height, width)
        )
    if wanted[0] > height and wanted[1] > width:
        height, width = wanted
    if param.have_reference:
        *bottoms, reference = bottoms
        height, width = reference.shape[2:]

    def resized(x):
        steps = [
            np.float32(n - 1) / np.float32(count - 1)
            for n, count in zip(x.shape[2:], (height, width), strict=True)
        ]

        def value(at):
            row, column = (float(step * np.float32(i)) for step, i in zip(steps, at[2:], strict=True))
            return between(x[at[:2]], row, column)

        return taken((*x.shape[:2], height, width), value)

    return [np.concatenate([resized(x) for x in bottoms], axis=1)]


def resample(given: Given) -> list[np.ndarray]:
    x, param = given.bottom[0], given.param.resample_param
    height, width = given.bottom[1].shape[2:] if len(given.bottom) > 1 else (param.height, param.width)
    fy, fx = x.shape[2] / height, x.shape[3] / width
    widened = max(fx, fy) > 1 and param.antialias

    def away(v):
        return int(math.copysign(math.floor(abs(v) + 0.5), v))

    def weight(d):
        d = abs(d)
        if param.type == ResampleParameter.LINEAR:
            return max(0.0, 1 - d)
        return (
            1.5 * d**3 - 2.5 * d**2 + 1 if d <= 1 else -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0.0
        )

    def line(place, factor, size):
        scale = factor if widened else 1
        reach = 2 if factor < 1 else math.ceil((4 if param.type == ResampleParameter.CUBIC else 2) * scale)
        near = range(away(place) - reach, away(place) + reach + 1)
        return [(i, weight((place - i) / scale)) for i in near if 0 <= i < size]

    def value(at):
        n, c, i, j = at
        row, column = i * fy + fx / 2 - 0.5, j * fx + fy / 2 - 0.5
        if param.type == ResampleParameter.NEAREST:
            return x[n, c, min(max(away(row), 0), x.shape[2] - 1), min(max(away(column), 0), x.shape[3] - 1)]
        taps = itertools.product(line(row, fy, x.shape[2]), line(column, fx, x.shape[3]))
        parts = [(u * v * x[n, c, a, b], u * v) for (a, u), (b, v) in taps]
        weights = sum(w for _, w in parts)
        return sum(p for p, _ in parts) / weights if weights else 0.0

    return [taken((*x.shape[:2], height, width), value)]


def downsample(given: Given) -> list[np.ndarray]:
    x, param = given.bottom[0], given.param.downsample_param
    sizes = given.bottom[1].shape[2:] if len(given.bottom) > 1 else (param.top_height, param.top_width)
    steps = [(n - 1) / (count - 1) for n, count in zip(x.shape[2:], sizes, strict=True)]

    def value(at):
        total = weights = missing = 0.0
        for i, j in np.ndindex(*x.shape[2:]):
            weight = 1.0
            for pixel, place, step in zip((i, j), at[2:], steps, strict=True):
                weight *= max(0.0, 1 - abs(pixel - place * step) / step)
            if math.isnan(x[at[0], at[1], i, j]):
                missing += weight
            else:
                weights, total = weights + weight, total + weight * x[at[0], at[1], i, j]
        return math.nan if missing > 0.5 * weights else total / weights

    return [taken((*x.shape[:2], *sizes), value)]


def pixels(bottoms: list[np.ndarray]) -> tuple[list[list[float]], int]:
    """Of each pixel the distances of its channels, 0 where they are missing; how many are not."""
    values = bottoms[0] - bottoms[1] if len(bottoms) > 1 else bottoms[0]
    known = int((~np.isnan(values)).sum())
    vectors = np.nan_to_num(np.moveaxis(values, 1, -1)).reshape(-1, values.shape[1])
    return [[abs(v) for v in vector] for vector in vectors], known


def l1_loss(given: Given) -> list[np.ndarray]:
    param, total = given.param.l1_loss_param, 0.0
    vectors, known = pixels(given.bottom)
    for vector in vectors:
        if param.l2_per_location:
            square = sum(v * v for v in vector) / (len(vector) if param.l2_prescale_by_channels else 1)
            total += math.sqrt((square if square >= param.plateau**2 else 0) + param.epsilon)
        else:
            total += sum(v for v in vector if v >= param.plateau)
    divisor = known / len(vectors[0]) if param.normalize_by_num_entries else len(given.bottom[0])
    return [np.array(total / divisor)]


def l1_loss_kitti(given: Given) -> list[np.ndarray]:
    predicted, targets = given.bottom
    near = np.abs(targets) < 1
    assert 0 < near.sum() < near.size
    return l1_loss(replace(given, bottom=[predicted, np.where(near, np.nan, targets)]))


def lpq_loss(given: Given) -> list[np.ndarray]:
    param, total = given.param.lpq_loss_param, 0.0
    starts = list(param.pq_episode_starts_at_iter)
    assert len(param.p) == len(param.q) == max(len(starts), 1)
    assert given.phase == TEST or starts
    vectors, known = pixels(given.bottom)
    for vector in vectors:
        inner = sum((v + param.p_epsilon) ** param.p[0] for v in vector)
        scale = 1 / len(vector) if param.l2_prescale_by_channels else 1
        total += (inner * scale + param.q_epsilon) ** param.q[0]
    divisor = known / len(vectors[0]) if param.normalize_by_num_entries else len(given.bottom[0])
    return [np.array(total / divisor)]


def flow_eltwise(given: Given) -> list[np.ndarray]:
    (x,), (coeff,) = given.bottom, given.param.eltwise_param.coeff
    return [taken(x.shape, lambda at: coeff * x[at])]


def grid(given: Given) -> list[np.ndarray]:
    n, _, h, w = given.bottom[0].shape
    return [taken((n, 2, h, w), lambda at: at[2] if at[1] else at[3])]


def neg_square(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    return [taken(x.shape, lambda at: -(x[at] ** 2))]


def exp_max(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.expmax_param
    base = math.e if param.base == -1 else param.base

    def element(at):
        greatest = max(x[(at[0], c, *at[2:])] for c in range(x.shape[1]))
        return base ** (param.shift + param.scale * (x[at] - greatest))

    return [taken(x.shape, element)]


def random_crop(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.random_crop_param
    left, upper = ((side - own) // 2 for side, own in
                   ((x.shape[3], param.target_width), (x.shape[2], param.target_height)))  # fmt: skip
    if given.phase != TEST:
        set_random_seed(given.seed)
        draws = [int(np.array(caffe_rng().draw(), np.uint32).astype(np.int32)) for _ in range(2)]
        left, upper = (
            abs(math.fmod(draw, side - own)) if side > own else 0
            for draw, side, own in zip(
                draws, x.shape[:1:-1], (param.target_width, param.target_height), strict=True
            )
        )
    shape = (*x.shape[:2], param.target_height, param.target_width)
    return [taken(shape, lambda at: x[at[0], at[1], at[2] + int(upper), at[3] + int(left)])]


def data_switch(given: Given) -> list[np.ndarray]:
    set_random_seed(given.seed)
    share = math.fmod(np.float32(caffe_rng().draw()) / 2.0**31, 1)
    return [given.bottom[math.ceil(share * len(given.bottom)) - 1]]


NAIVE = {
    "RandomCrop": random_crop,
    "DataSwitch": data_switch,
    "ExpMax": exp_max,
    "Grid": grid,
    "NegSquare": neg_square,
    "Accum": accum,
    "ChannelNorm": channel_norm,
    "Correlation": correlation,
    "Correlation1D": correlation_1d,
    "Downsample": downsample,
    "FlowEltwise": flow_eltwise,
    "FlowL1Loss": l1_loss,
    "L1LossKitti": l1_loss_kitti,
    "FlowWarp": flow_warp,
    "Warp": warp,
    "Warping": warping,
    "WarpingOfImages": warping_of_images,
    "LpqLoss": lpq_loss,
    "Mean": mean,
    "NegReLU": neg_relu,
    "Resample": resample,
}
