"""Layers of nets that retrieve and label images."""

from __future__ import annotations

import numpy as np

from layers.harness import Case, apart, far, normal, unit


def three(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """-1, 0 and 1."""
    return rng.randint(-1, 2, shape)


CASES = [
    *(
        Case(
            f'type: "CompactBilinear" compact_bilinear_param {{ num_output: 8 {params} }}',
            [(2, 3, 4, 5), (2, 6, 4, 5)],
            [(3, 3, 2, 7), (3, 6, 2, 7)],
        )
        for params in ("", "sum_pool: false")
    ),
    Case(
        'type: "SignedSqrt"',
        [(2, 3, 5)],
        [(3, 2, 4)],
        fills=[apart],
        gradient=False,
        note="is kept within bounds, as the original; retrieval/test_retrieval.py",
    ),
    *(
        Case(f'type: "{name}"', [(3, 2, 4)], [(2, 5)], fills=[far])
        for name in ("L2Normalize", "Normalization", "NormalizationL2")
    ),
    *(
        Case(
            f'type: "{name}_EuclideanLoss"',
            [(3, 4), (3, 4)],
            [(2, 5), (2, 5)],
            fills=[unit, unit],
            gradient=False,
            note="the second bottom has the first one's, as the original; retrieval/test_retrieval.py",
        )
        for name in ("K1", "K2")
    ),
    *(
        Case(
            'type: "MultiLabelLoss"', [(3, 4), (3, 2, 2)], [(2, 5), (2, 5)], fills=[normal, three], tops=tops
        )
        for tops in (1, 2)
    ),
    Case(
        'type: "MultiLabelAccuracy"',
        [(3, 8), (3, 8)],
        [(2, 9), (2, 9)],
        fills=[normal, three],
        gradient=False,
        note="forward only",
    ),
]
