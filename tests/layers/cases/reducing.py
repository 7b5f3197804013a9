"""Layers that make one number of many, or a few: Reduction, ArgMax."""

from __future__ import annotations

from layers.harness import Case, apart

CASES = [
    *(
        Case(f'type: "Reduction" reduction_param {{ {params} }}', [(2, 3, 5)], [(4, 2, 3)])
        for params in (
            "",
            "operation: SUM axis: -1 coeff: -2",
            "operation: ASUM axis: 1 coeff: 1.5",
            "operation: SUMSQ axis: 2",
            "operation: MEAN axis: 1 coeff: 3",
        )
    ),
    *(
        Case(
            f'type: "ArgMax" argmax_param {{ {params} }}',
            [(3, 5, 4)],
            [(2, 6, 7)],
            fills=[apart],
            gradient=False,
            note="choices, forward only",
        )
        for params in ("", "top_k: 3 out_max_val: true", "axis: 1 top_k: 2", "axis: -1 out_max_val: true")
    ),
]
