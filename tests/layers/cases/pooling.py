"""Pooling and SPP."""

from __future__ import annotations

from caffe_compat.layers.base import TEST, TRAIN
from layers.cases.shared import IMAGE, OTHER_IMAGE
from layers.harness import Case, apart, positive

CASES = [
    *(
        Case(
            f'type: "Pooling" pooling_param {{ {params} }}', [IMAGE], [OTHER_IMAGE], fills=[apart], tops=tops
        )
        for params, tops in (
            ("kernel_size: 3 stride: 2", 1),
            ("kernel_size: 3 stride: 2 pad: 1", 2),
            ("kernel_h: 4 kernel_w: 2 round_mode: FLOOR", 1),
            ("pool: AVE kernel_size: 3 stride: 2 pad: 1", 1),
            ("pool: AVE global_pooling: true", 1),
        )
    ),
    *(
        Case(f'type: "Pooling" pooling_param {{ {params} }}', [(2, 3, 4, 5)], [(4, 3, 2, 5)], fills=[apart])
        for params in (
            "kernel_size: 3 stride_h: 2 stride_w: 3 pad_h: 1 pad_w: 2",
            "kernel_size: 2 stride: 3 round_mode: FLOOR",
            "kernel_size: 2 stride: 3 ceil_mode: false",
        )
    ),
    *(
        Case(
            f'type: "Pooling" pooling_param {{ {params} }}',
            [(2, 3, 4, 5, 7)],
            [(3, 2, 5, 4, 3)],
            fills=[apart],
        )
        for params in (
            "kernel_size: 2 stride: 2 pad: 1",
            "pool: AVE kernel_size: 3 stride: 2",
            "pool: AVE global_pooling: true",
        )
    ),
    *(
        Case(
            f'type: "PaddedPooling" pooling_param {{ {params} }} padding_sides_param {{ {sides} }}',
            [(2, 3, 6, 7)],
            [(1, 2, 8, 9)],
            fills=[apart],
        )
        for params, sides in (
            ("kernel_size: 3 stride: 2", "right: 1 bottom: 1"),
            ("kernel_h: 3 kernel_w: 4 stride_h: 2 stride_w: 1 pool: AVE", "left: 2 top: 1"),
            ("kernel_size: 3 stride: 1 pool: AVE_EXC_PAD", "left: 1 right: 1 top: 1 bottom: 1"),
            ("kernel_size: 3 stride: 2 pool: AVE_EXC_PAD round_mode: FLOOR", "left: 1 right: 2 bottom: 1"),
            ("kernel_size: 3 stride: 2 pool: AVE ceil_mode: false", "left: 2 right: 1 bottom: 1"),
        )
    ),
    # windows in the padding
    Case('type: "Pooling" pooling_param { pool: AVE kernel_size: 4 stride: 3 pad: 3 }', [(2, 3, 7, 5)]),
    *(
        Case(
            'type: "Pooling" pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 }',
            [IMAGE],
            [OTHER_IMAGE],
            fills=[positive],
            phase=phase,
        )
        for phase in (TRAIN, TEST)
    ),
    *(
        Case(f'type: "SPP" spp_param {{ {params} }}', [(2, 3, 9, 7)], [(4, 1, 6, 8)], fills=[apart])
        for params in ("pyramid_height: 1", "pyramid_height: 3", "pyramid_height: 2 pool: AVE")
    ),
]
