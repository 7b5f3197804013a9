"""Layers that find the action units of faces."""

from __future__ import annotations

import numpy as np

from layers.harness import Case, apart, normal


def faces(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """x and y of landmarks on an image of 44 pixels, and around it."""
    return rng.uniform(-5, 49, shape)


def crops(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Rows of (mirrored or not, width, row, column); the first is mirrored."""
    given = [np.arange(1, len(rng.rand(shape[0])) + 1) % 2, *rng.randint(1, 40, (3, shape[0]))]
    return np.column_stack(given).reshape(shape)


def order(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers of landmarks, from 1 on, swapped in pairs."""
    count = int(np.prod(shape))
    swapped = np.arange(count) ^ 1
    return np.where(swapped < count, swapped, np.arange(count)).reshape(shape) + 1.0


def intensities(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """From 0 to 5, or 9."""
    return rng.choice([0, 1, 3, 5, 9], shape)


CASES = [
    *(
        Case(
            f'type: "AUMaskBasedLand" au_mask_based_land_param {{ {params} }}',
            [(2, 98)],
            [(3, 98, 1, 1)],
            fills=[faces],
            tops=13,
            gradient=False,
            note="it has none",
        )
        for params in (
            "img_size: 44 spatial_ratio: 0.14 spatial_scale: 0.25",
            "img_size: 44 spatial_ratio: 0.3 spatial_scale: 0.125 fill_coeff: 0.2 fill_value: 0.125",
            'img_size: 20 spatial_ratio: 0.3 spatial_scale: 0.5 fill_type: "none" fill_value: 0.5',
        )
    ),
    Case(
        'type: "AlignDataTransform"',
        [(3, 10), (3, 4), (5,)],
        [(2, 14, 1), (2, 4), (7, 1)],
        fills=[normal, crops, order],
    ),
    Case(
        'type: "EuclideanLoss2"',
        [(4, 3), (4, 3), (2,)],
        [(2, 5, 1), (2, 5), (3,)],
        fills=[normal, normal, apart],
    ),
    Case(
        'type: "EuclideanLoss6"',
        [(4, 3), (4, 3), (4, 3)],
        [(2, 5, 1), (2, 5), (2, 5)],
        fills=[normal, intensities],
        gradient=False,
        note="the original's counts the weights once; test_action_units.py",
    ),
]
