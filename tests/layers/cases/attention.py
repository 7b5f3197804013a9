"""Layers that weigh the pixels around each pixel."""

from __future__ import annotations

from layers.harness import Case

CASES = [
    *(
        Case(
            f'type: "AttPooling" att_pooling_param {{ {params} }}',
            [(2, 3, 7, 6), (2, side * side, *out)],
            [(3, 4, 8, 9), (3, side * side, *more)],
        )
        for params, side, out, more in (
            ("kernel_size: 3 pad: 1", 3, (7, 6), (8, 9)),
            (
                "kernel_size: 2 pad: 1 dilation: 2 stride: 2",
                2,
                (4, 3),
                (4, 5),
            ),
            ("kernel_size: 2 stride: 3", 2, (2, 2), (3, 3)),
            ("kernel_size: 3 att_mode: LOCAL", 3, (5, 4), (6, 7)),
            ("kernel_size: 3 pad: 2 dilation: 2", 3, (7, 6), (8, 9)),
        )
    ),
    *(
        Case(f'type: "AttPooling" att_pooling_param {{ att_mode: GLOBAL {params} }}', shapes, others)
        for params, shapes, others in (
            (
                "",
                [(2, 3, 4, 4), (2, 16, 5, 6)],
                [(3, 2, 2, 2), (3, 4, 7, 1)],
            ),
            (
                "kernel_size: 3 dilation: 2",
                [(2, 4, 5, 5), (2, 9, 3, 7)],
                [(1, 2, 5, 5), (1, 9, 4, 2)],
            ),
            (
                "kernel_size: 3 dilation: 3 pad: 1",
                [(2, 4, 5, 5), (2, 9, 3, 6)],
                [(3, 2, 5, 5), (3, 9, 1, 2)],
            ),
        )
    ),
    *(
        Case('type: "PixelConv"', shapes, others)
        for shapes, others in (
            ([(2, 27, 5, 4), (2, 3, 5, 4)], [(3, 18, 2, 6), (3, 2, 2, 6)]),
            ([(2, 3, 5, 4), (2, 3, 5, 4)], [(3, 2, 6, 7), (3, 2, 6, 7)]),
        )
    ),
]
