"""Spatial transformers."""

from __future__ import annotations

from layers.harness import Case, apart, normal

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
