"""Layers that make maps larger or smaller: BilinearInterpolation, Duplicate, Interp, Upsample."""

from __future__ import annotations

from layers.harness import Case, indices, normal

CASES = [
    *(
        Case(f'type: "Interp" interp_param {{ {params} }}', [(2, 3, 7, 5)], [(4, 1, 6, 8)])
        for params in (
            "zoom_factor: 3",
            "zoom_factor: 3 zoom_whole: true",
            "shrink_factor: 2",
            "shrink_factor: 2 zoom_factor: 3",
            "height: 4 width: 9",
            "height: 6 width: 1",
            "height: 4 width: 2 pad_beg: -1 pad_end: -2",
        )
    ),
    Case(
        'type: "Interp" interp_param { use_blob_size: true pad_beg: -1 }',
        [(2, 3, 7, 5), (1, 2, 4, 9)],
        [(4, 1, 6, 8), (2, 3, 9, 2)],
    ),
    Case('type: "BilinearInterpolation"', [(2, 3, 7, 5), (1, 2, 4, 9)], [(4, 1, 6, 8), (2, 3, 1, 12)]),
    Case('type: "Duplicate" duplicate_param { height: 4 width: 3 }', [(2, 5, 1, 1)], [(3, 2, 1, 1)]),
    Case('type: "Upsample"', [(2, 3, 4, 5)], [(3, 2, 6, 7)]),
    Case('type: "Upsample" upsample_param { scale: 3 }', [(2, 3, 4, 5)], [(3, 2, 6, 7)]),
    *(
        Case(
            f'type: "Upsample" upsample_param {{ {params} }}',
            [(2, 3, 4, 5), (2, 3, 4, 5)],
            [(3, 2, 6, 7), (3, 2, 6, 7)],
            fills=[normal, indices],
        )
        for params in (
            "",
            "scale: 3",
            "scale_h: 2 scale_w: 3",
            "pad_out_h: true",
            "pad_out_w: true",
            "upsample_h: 8 upsample_w: 13",
        )
    ),
    *(
        Case(f'type: "Resize" resize_param {{ {params} }}', [(2, 3, 5, 4)], [(3, 1, 6, 7)])
        for params in (
            "height: 9 width: 6",
            "height: 3 width: 2",
            "is_pyramid_test: true out_height_scale: 1.7 out_width_scale: 0.6",
        )
    ),
]
