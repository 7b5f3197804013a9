"""Spatial transformers."""

from __future__ import annotations

import numpy as np

from layers.harness import Case, apart, normal


def moved(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Small enough that no depth is near 0."""
    return rng.uniform(-0.45, 0.45, shape)


FIXED = "theta_1_1: 0.7 theta_1_2: 0.2 theta_2_1: -0.3 theta_2_2: 0.8"
CASES = [
    *(
        Case(
            f'type: "SpatialTransformer" st_param {{ {params} }}',
            [(2, 3, 5, 4), (2, count)],
            [(3, 2, 4, 6), (3, count, 1)],
            gradient=not note,
            note=note,
        )
        for params, count, note in (
            ("", 6, ""),
            ("output_H: 7 output_W: 3", 6, ""),
            (FIXED, 2, ""),
            ("theta_1_3: 0.1 theta_2_3: -0.4", 4, ""),
            ("to_compute_dU: false", 6, "which bottom[0] has none of then"),
        )
    ),
    *(
        Case(
            f'type: "TransformedMaps" st_param {{ transform_type: "{name}" {params} }}',
            [(2, 3, 5, 4), (2, count)],
            [(3, 2, 7, 6), (3, count, 1)],
            fills=[normal, near],
            gradient=False,
            note="bottom[0] has none, as in the original; spatial_transformer/test_transformed_maps.py",
        )
        for name, params, count, near in (
            ("translation", "", 2, moved),
            ("translation", "theta_1_1: 0.6 theta_2_2: -0.7 output_H: 3", 2, moved),
            ("translation_scaling", "output_H: 6 output_W: 3", 4, moved),
            ("projective", "output_W: 7", 8, moved),
            ("similarity", "", 4, normal),
        )
    ),
    *(
        Case(
            f'type: "MirrorRotate" spatialtransformer_param {{ {params} }}',
            [(2, 3, 5, 4)],
            [(3, 1, 2, 6)],
        )
        for params in (
            "",
            "mirror: false rotate: ROTATE90",
            "rotate: ROTATE180",
            "rotate: ROTATE270",
            "rotate: ROTATE90 operation: UNTRANSFORM",
            "mirror: false rotate: ROTATE270 operation: UNTRANSFORM",
        )
    ),
    Case('type: "STLoss" st_loss_param { output_H: 4 output_W: 3 }', [(3, 6)], [(2, 3, 2)]),
    Case('type: "LocLoss" loc_loss_param { threshold: 0.105 }', [(4, 5)], [(2, 3, 4)], fills=[apart]),
    Case('type: "PowerFile"', [(4, 5)], [(2, 3, 4)], fills=[normal]),
]
