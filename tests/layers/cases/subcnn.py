"""Layers of SubCNN."""

from __future__ import annotations

import numpy as np

from layers.harness import Case, apart, normal, unit

MAPS, SCALES, RATIOS = 6, 3, 2  # two images


def boxes(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """G x 18: on maps of 3 x 4 or larger, by image; two of the same place, and of 3 classes."""
    values = rng.uniform(0, 9, shape)
    values[:, 0], values[:, 1] = rng.randint(0, 4, len(values)), rng.randint(0, 3, len(values))
    values[:, 2] = np.sort(rng.randint(0, MAPS, len(values)))
    values[1, :3] = values[0, :3]
    values[:, 12] = rng.randint(0, 3, len(values))
    return values


def parameters(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Counts, scales, the scales that they are mapped to, heights and widths of the aspect ratios."""
    return np.array([SCALES, RATIOS, 0.5, 1, 2, 1, 0, 2, 1.5, 2, 3, 2.5])


CASES = [
    *(
        Case(
            f'type: "FeatureExtrapolating" feature_extrapolating_param {{ {params} }}',
            [(2 * base, 3, 5, 7)],
            [(base, 2, 6, 4)],
        )
        for base, params in (
            (3, 'num_scale_base: 3 num_per_octave: 4 scale_string: "0.5 1.0 1.7"'),
            (2, 'num_scale_base: 2 num_per_octave: 3 scale_string: " 1  1.5 "'),
            (1, 'num_scale_base: 1 scale_string: "3.0"'),
        )
    ),
    Case(
        'type: "FeatureExtrapolating" feature_extrapolating_param { num_scale_base: 2 num_per_octave: 9 '
        'scale_string: "0.25 2" }',
        [(2, 3, 5, 17)],
        gradient=False,
        note="the gradient leaves out what is far away; test_feature_extrapolating.py",
    ),
    Case('type: "HeatmapGenerating"', [(2, 4, 3, 5)], [(3, 2, 6, 1)], fills=[apart]),
    *(
        Case(
            f'type: "ROIGenerating" roi_generating_param {{ {params} }}',
            [(MAPS, 1, 3, 4), (5, 18), (12,)],
            [(MAPS, 1, 7, 5), (4, 18), (12,)],
            fills=[unit, boxes, parameters],
            tops=tops,
            gradient=False,
            note="a choice of places of which nothing takes a gradient",
        )
        for tops, params in (
            (5, "flag_proposal_only: 1 batch_size: 9 num_classes: 3 fg_fraction: 0.6 spatial_scale: 0.1"),
            (7, "batch_size: 10 num_classes: 4"),
        )
    ),
    Case(
        'type: "HeatmapGenerating"',
        [(2, 3, 4, 5)],
        fills=[lambda rng, shape: normal(rng, shape) - 3],
        gradient=False,
        note="some places have nothing above -1",
    ),
]
