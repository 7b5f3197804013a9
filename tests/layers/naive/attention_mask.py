"""Layers of AttentionMask."""

from __future__ import annotations

import math

import numpy as np

from layers.naive.given import Given, taken


def check_att(given: Given) -> list[np.ndarray]:
    first, second = (x.copy() for x in given.bottom)
    if all(a <= b for a, b in zip(first.flat, second.flat, strict=True)):
        first[0, 0, 0, 0], second[0, 0, 0, 0] = 0.51, 0.49
    return [first, second]


def arg_max(given: Given, fewest: int = 0) -> list[np.ndarray]:
    (chances, none), param = (x.ravel() for x in given.bottom), given.param.argmax_param
    count = max(sum(a > b for a, b in zip(chances, none, strict=True)), fewest)
    best = sorted(((value, place) for place, value in enumerate(chances)), reverse=True)[:count]
    values, places = [value for value, _ in best], [place for _, place in best]
    if param.HasField("axis"):
        assert param.axis in (3, -1)
        return [np.reshape(values if param.out_max_val else places, (1, 1, 1, -1))]
    return [np.reshape([places, values] if param.out_max_val else [places], (1, -1, count, 1))]


def convert_indices(given: Given) -> list[np.ndarray]:
    places, values = (x.ravel() for x in given.bottom)
    flags = [float(place in places) for place in range(len(values))]
    return [np.reshape(flags, (1, 1, 1, -1)), np.reshape([values[int(p)] for p in places], (-1, 1, 1, 1))]


def flags_to_indices(given: Given) -> list[np.ndarray]:
    return [np.reshape([i for i, flag in enumerate(given.bottom[0].flat) if flag], (-1, 1, 1, 1))]


def split_indices(given: Given) -> list[np.ndarray]:
    values, tops = iter(given.bottom[0].flat), []
    for other in given.bottom[1:]:
        tops.append(np.reshape([next(values) for _ in range(other.size)], (1, 1, 1, -1)))
    return tops


def sliding_window_index(given: Given) -> list[np.ndarray]:
    (x, flags), param = given.bottom, given.param.sliding_window_param
    _, channels, height, width = x.shape
    found = []
    for place, flag in enumerate(flags.flat):
        y, left = place // (width + 1) - param.window_h // 2, place % (width + 1) - param.window_w // 2
        if flag:
            found.append(
                taken(
                    (channels, param.window_h, param.window_w),
                    lambda at, y=y, left=left: (
                        x[0, at[0], y + at[1], left + at[2]]
                        if 0 <= y + at[1] < height and 0 <= left + at[2] < width
                        else 0
                    ),
                )
            )
    return [np.array(found or [np.zeros((channels, param.window_h, param.window_w))])]


def sliding_window(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    given.bottom = [x, np.ones((x.shape[2] + 1) * (x.shape[3] + 1))]
    return sliding_window_index(given)


def top_k(given: Given, pads: bool = False) -> list[np.ndarray]:
    x, scores, wanted = given.bottom
    score = [row.ravel()[0] if row.size == 1 else max(0, *row.ravel()[1:]) for row in scores]
    rows = sorted(sorted(range(len(x)), key=lambda i: -score[i])[: len(wanted)])
    empty = len(wanted) - len(rows)
    top = np.array([x[i] for i in rows] + [np.zeros(x.shape[1:])] * (empty * (pads or given.tops > 1)))
    return [top, np.reshape([*rows, *[-1] * empty], (-1, 1, 1, 1))][: given.tops]


def tile_product(given: Given) -> list[np.ndarray]:
    x, tile = given.bottom
    return [taken(x.shape, lambda at: x[at] * tile[at[0], 0, at[2], at[3]])]


def normalized_sigmoid_loss(given: Given) -> list[np.ndarray]:
    x, target = given.bottom
    costs = [math.log(1 + math.exp(v)) - v * t for v, t in zip(x.ravel(), target.ravel(), strict=True)]
    return [np.array(sum(costs) / (x.size / x.shape[1]))]


NAIVE = {
    "CheckAtt": check_att,
    "ArgMaxMy": arg_max,
    "ArgMaxAll": lambda given: arg_max(given, 1000),
    "ConvertIndices": convert_indices,
    "FlagsToIndices": flags_to_indices,
    "SplitIndices": split_indices,
    "SlidingWindow": sliding_window,
    "SlidingWindowIndex": sliding_window_index,
    "TopK": top_k,
    "TopKOld": lambda given: top_k(given, pads=True),
    "TileProduct": tile_product,
    "NormalizedSigmoidCrossEntropyLoss": normalized_sigmoid_loss,
}
