"""Layers that make one number of many, or a few: Reduction, BatchReduction, ArgMax."""

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
        Case(f'type: "BatchReduction" batch_reduction_param {{ {params} }}', [shape], [other], fills=[apart])
        for params, shape, other in (
            ("reduction_param { axis: 1 }", (2, 3, 5), (4, 6, 2)),
            ("reduction_param { operation: MEAN axis: -1 }", (2, 3, 5), (4, 6, 2)),
            ("reduction_param { operation: TOPK axis: 1 k: 2 }", (2, 4, 3, 5), (3, 2, 1, 6)),
            ("level: 1 level: 2 reduction_param { operation: MEAN axis: 1 }", (2, 5, 3), (3, 5, 4)),
            ("level: 2 reduction_param { axis: 1 }", (2, 4, 3), (3, 4, 5)),
            ("pos: true reduction_param { operation: MEAN axis: 1 }", (2, 3, 3, 5), (3, 4, 4, 2)),
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
    *(
        Case(
            f'type: "ChannelReduce" channel_reduce_param {{ {params} }}',
            [(2, 6, 3, 5)],
            [(3, 12, 4)],
            fills=[apart],
        )
        for params in ("", "num_channels: 3", "num_channels: 2 operation: SUM")
    ),
]
