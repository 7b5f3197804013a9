"""Layers of AttentionMask."""

from __future__ import annotations

import numpy as np

from layers.harness import Case, normal, unit

NONE = {"gradient": False, "note": "nothing takes a gradient"}


def flags(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """0 or 1, the first and last 1."""
    values = rng.randint(0, 2, shape)
    values.flat[0] = values.flat[-1] = 1
    return values


def no_flags(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape)


def some_places(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return rng.permutation(9)[: shape[3]].reshape(shape)


def ones(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return np.ones(shape)


def windows(params: str, sides: tuple[int, int], other: tuple[int, int], fill=flags, **kwargs) -> Case:
    shapes = [
        [(1, channels, *size), (1, 1, 1, (size[0] + 1) * (size[1] + 1))]
        for channels, size in ((3, sides), (2, other))
    ]
    return Case(
        f'type: "SlidingWindowIndex" sliding_window_param {{ {params} }}',
        *shapes,
        fills=[normal, fill],
        **kwargs,
    )


def list_of(count: int) -> tuple[int, ...]:
    return (1, 1, 1, count)


CASES = [
    *(
        Case('type: "CheckAtt"', [(2, 3, 4, 5)] * 2, [(3, 1, 6, 2)] * 2, fills=fills, tops=2, **NONE)
        for fills in ([unit, unit], [unit, ones])
    ),
    *(
        Case(
            f'type: "{type}" argmax_param {{ {params} }}',
            [list_of(count)] * 2,
            [list_of(count + 7)] * 2,
            fills=[unit, unit],
            **NONE,
        )
        for type, count in (("ArgMaxMy", 13), ("ArgMaxAll", 1017))
        for params in ("axis: -1", "axis: 3 out_max_val: true", "out_max_val: true", "top_k: 2")
    ),
    Case(
        'type: "ConvertIndices"',
        [list_of(4), list_of(9)],
        [list_of(7), list_of(11)],
        fills=[some_places, unit],
        tops=2,
        **NONE,
    ),
    Case('type: "FlagsToIndices"', [list_of(9)], [list_of(14)], fills=[flags], **NONE),
    Case(
        'type: "SplitIndices"',
        [list_of(9), list_of(2), list_of(4), list_of(3)],
        [list_of(12), list_of(5), list_of(1), list_of(6)],
        tops=3,
        **NONE,
    ),
    windows("window_h: 4 window_w: 2", (5, 7), (6, 3)),
    windows("window_h: 2 window_w: 6 stride_h: 2 stride_w: 3", (2, 4), (5, 3)),
    *(
        Case(
            f'type: "SlidingWindow" sliding_window_param {{ {params} }}',
            [(1, 3, 4, 2)],
            [(1, 2, 3, 5)],
        )
        for params in ("window_h: 4 window_w: 2", "window_h: 2 window_w: 6 stride_h: 2 stride_w: 3")
    ),
    windows("window_h: 2 window_w: 4", (3, 2), (2, 5), no_flags, gradient=False, note="there is no window"),
    *(
        Case(
            f'type: "{type}"',
            [(rows, 3, 2), (rows, scores), (wanted, 5)],
            [(rows + 2, 1, 4), (rows + 2, scores), (wanted - 1,)],
            fills=[normal],
            tops=tops,
            diff_tops=[0],
        )
        for type in ("TopK", "TopKOld")
        for rows, scores, wanted, tops in ((7, 1, 4, 1), (6, 4, 3, 2), (3, 1, 8, 2), (3, 2, 9, 1))
    ),
    Case('type: "TileProduct"', [(2, 3, 4, 5), (2, 1, 4, 5)], [(3, 2, 6, 4), (3, 1, 6, 4)]),
    Case(
        'type: "NormalizedSigmoidCrossEntropyLoss"',
        [(2, 3, 4, 5)] * 2,
        [(3, 1, 5, 4)] * 2,
        fills=[normal, unit],
    ),
]
