"""Automatic colorization."""

from __future__ import annotations

import numpy as np

from layers.cases.long_tail import shares
from layers.harness import Case, normal, unit


def image_places(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """From a little outside of an image of 12 x 12 to its other side, away from whole numbers."""
    return rng.randint(-1, 13, shape) + rng.uniform(0.2, 0.8, shape)


HYPERCOLUMNS = "sparse_hypercolumn_extractor_param"
CASES = [
    *(
        Case(
            f'type: "SparseHypercolumnExtractor" {HYPERCOLUMNS} {{ {params} }}',
            [(3, 5, 2), (3, 2, 9, 7), (3, 4, 5, 6)],
            [(2, 4, 2), (2, 3, 8, 10), (2, 1, 1, 4)],
            fills=[image_places],
        )
        for params in (
            "scale: 1 scale: 2",
            "scale: 1.5 scale: 2 offset_height: 0.5 offset_height: 0.3 offset_width: -1 offset_width: 0.6 "
            "activation_mult: 3",
        )
    ),
    Case(
        'type: "SparseHistogramExtractor" sparse_histogram_extractor_param { size: 3 size: 4 }',
        [(3, 5, 2), (3, 4, 9, 7)],
        [(2, 6, 2), (2, 3, 8, 10)],
        fills=[image_places, unit],
        tops=2,
        gradient=False,
        note="forward only",
    ),
    *(
        Case(
            f'type: "UniformToHistogram" {params}',
            [(3, 1, 4, 5)],
            [(2, 1, 5, 3)],
            fills=[unit],
            gradient=False,
            note="forward only",
        )
        for params in ("", "uniform_to_histogram_param { bins: 6 }")
    ),
    Case('type: "StripDecimals"', [(3, 4)], [(2, 3, 5)], gradient=False, note="forward only"),
    Case(
        'type: "BgrToMunsell"',
        [(2, 3, 4, 5)],
        [(4, 3, 2, 6)],
        fills=[unit],
        gradient=False,
        note="forward only",
    ),
    *(
        Case(
            f'type: "SoftmaxKLDLoss" {params}',
            [(4, 5), (4, 5), (4, 1)][:bottoms],
            [(2, 6), (2, 6), (2,)][:bottoms],
            fills=[normal, shares, unit][:bottoms],
        )
        for bottoms, params in (
            (2, ""),
            (3, "softmax_kld_loss_param { type: CROSS_ENTROPY } loss_param { normalization: FULL }"),
            (3, "loss_param { normalize: false }"),
            (3, ""),
            (2, "loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 3 }"),
        )
    ),
    Case(
        'type: "SoftmaxKLDLoss" softmax_param { axis: 0 }',
        [(1, 5, 3), (1, 5, 3), (5, 3)],
        fills=[normal, unit, unit],
        gradient=False,
        note="of shares that do not sum to 1 the original's gradient is not the true one",
    ),
]
