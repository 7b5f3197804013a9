"""Layers of SINet."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.layers.base import TRAIN
from caffe_compat.rng import caffe_rng, set_random_seed
from layers.fast_rcnn.test_roi_pooling import round_away
from layers.naive.given import Given
from layers.naive.losses import divided, smooth, softmax_costs

F = np.float32


def span(low: float, high: float, scale: float, pad_ratio: float, limit: int) -> tuple[int, int, int]:
    """The first and last row, or column, of a RoI on the map, and how many there are."""
    pad = F(F(high) - F(low) + F(1)) * F(pad_ratio)
    first = max(round_away(float((F(low) - pad) * F(scale))), 0)
    last = min(round_away(float((F(high) + pad) * F(scale))), round_away(float(F(limit) / F(scale))) - 1)
    return first, last, max(last - first + 1, 1)


def bin_of(index: int, size: int, bins: int) -> range:
    width = F(size) / F(bins)
    return range(math.floor(F(index) * width), math.ceil(F(index + 1) * width))


def stretched(values: np.ndarray, count: int) -> np.ndarray:
    """So many values between the first and last of the first axis, those included."""
    places = np.linspace(0, len(values) - 1, count) if count > 1 else np.zeros(1)
    flat = values.reshape(len(values), -1)
    columns = [np.interp(places, np.arange(len(values)), column) for column in flat.T]
    return np.stack(columns, axis=1).reshape(count, *values.shape[1:])


def ca_roi_pooling(given: Given) -> list[np.ndarray]:
    (x, regions), param = given.bottom, given.param.caroi_pooling_param
    bins = param.pooled_h, param.pooled_w
    limits = x.shape[2:]
    top = np.zeros((len(regions), x.shape[1], *bins))
    for r, (n, x1, y1, x2, y2) in enumerate(regions):
        spans = [
            span(*side, param.spatial_scale, param.pad_ratio, limit)
            for side, limit in zip(((y1, y2), (x1, x2)), limits, strict=True)
        ]
        sizes = [size for _, _, size in spans]
        enlarged = sizes[0] < bins[0] or sizes[1] < bins[1]
        rows, columns = (np.clip(np.arange(first, first + size), 0, limit - 1)
                         for (first, _, size), limit in zip(spans, limits, strict=True))  # fmt: skip
        for c, i, j in np.ndindex(top.shape[1:]):
            patch = x[int(n), c][np.ix_(rows, columns)]
            found, kept = [], []
            for at, size, count, (first, _, _), limit in zip((i, j), sizes, bins, spans, limits, strict=True):
                alone = enlarged and size <= count
                places = range(at, at + 1) if alone else bin_of(at, size, count)
                both = enlarged and all(s <= b for s, b in zip(sizes, bins, strict=True))
                end = limit if enlarged else limit - first
                kept.append([p for p in places if both or p < end])
                found.append(count if alone else size)
            patch = stretched(stretched(patch, found[0]).T, found[1]).T
            top[r, c, i, j] = max((patch[h, w] for h in kept[0] for w in kept[1]), default=0)
    return [top]


def roi_split(given: Given) -> list[np.ndarray]:
    (regions,), param = given.bottom, given.param.roi_split_param
    set_random_seed(given.seed)

    def limit(area: int) -> int:
        if given.phase != TRAIN:
            return area
        while True:
            goes_down = caffe_rng().draw() % 2 == 1
            deviation = (param.fluctuation_range_large if goes_down else param.fluctuation_range_small) // 3
            step = np.zeros(1, F)
            if deviation:
                caffe_rng().gaussian(0, deviation, step)
            drawn = math.floor(float(step[0]) + 0.5)
            if (drawn if goes_down else -drawn) <= 0:
                return max(area + drawn, area - param.fluctuation_range_large)

    counts, table = [0] * param.branch_num, []
    for _, x1, y1, x2, y2 in regions:
        area = int(F(x2) - F(x1) + F(1)) * int(F(y2) - F(y1) + F(1))
        limits = [limit(param.split_area1), *([limit(param.split_area2)] if param.branch_num == 3 else [])]
        branch = 0 if area < limits[0] else 2 if area > limits[-1] and len(limits) == 2 else 1
        table.append([counts[branch], branch + 1])
        counts[branch] += 1
    return [np.reshape(counts, (-1, 1, 1, 1)), np.reshape(table, (-1, 2, 1, 1))]


def split_rows(table: np.ndarray, values: np.ndarray, branches: int) -> list[np.ndarray]:
    tops = []
    for branch in range(1, branches + 1):
        rows = {int(number): i for i, (number, b) in enumerate(table.reshape(-1, 2)) if b == branch}
        tops.append(np.array([values[rows[k]] for k in sorted(rows)] or [np.zeros(values.shape[1:])]))
    return tops


def roi_feature_split(given: Given) -> list[np.ndarray]:
    x, _, table = given.bottom
    assert given.param.roi_feature_split_param.branch_num == given.tops
    return split_rows(table, x, given.param.roi_feature_split_param.branch_num)


def label_split(given: Given) -> list[np.ndarray]:
    _, table, *sources = given.bottom
    branches = given.tops // 4
    each = [split_rows(table, source, branches) for source in sources]
    tops = [of_source[branch] for branch in range(branches) for of_source in each]
    return [top.reshape(*top.shape, *[1] * (4 - top.ndim)) for top in tops]


def softmax_loss2(given: Given) -> list[np.ndarray]:
    x, label, counts = given.bottom
    given.bottom = [x, label]
    assert given.param.softmax_param.axis == given.param.softmax_split_param.axis
    prob, costs, loss = softmax_costs(given)
    if counts.flat[given.param.softmax_split_param.branch_id - 1] == 0:
        loss = 0 * loss
    return [loss, prob.reshape(x.shape), np.reshape(costs, label.shape)][: given.tops]


def smooth_l1_loss2(given: Given) -> list[np.ndarray]:
    (a, b, inside, outside, counts), param = given.bottom, given.param.smooth_l1_split_param
    rows = np.zeros((len(a), 1, *a.shape[2:]))
    for at in np.ndindex(a.shape):
        d = param.sigma**2 * inside[at] * (a[at] - b[at])
        rows[(at[0], 0, *at[2:])] += outside[at] * smooth(d) / param.sigma**2
    places = rows.size // len(a)
    loss = divided(rows.sum(), given.param.loss_param, len(a), places, rows.size, default="BATCH_SIZE")
    return [loss if counts.flat[param.branch_id - 1] else 0 * loss, rows][: given.tops]


NAIVE = {
    "CAROIPooling": ca_roi_pooling,
    "ROISplit": roi_split,
    "ROIFeatureSplit": roi_feature_split,
    "LabelSplit2": label_split,
    "LabelSplit3": label_split,
    "SoftmaxWithLoss2": softmax_loss2,
    "SmoothL1Loss2": smooth_l1_loss2,
}
