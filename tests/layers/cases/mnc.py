"""Layers of multi-task network cascades."""

from __future__ import annotations

from layers.harness import Case, labels, normal, rois, unit

CASES = [
    *(
        Case(
            f'type: "ROIWarping" roi_warping_param {{ {params} }}',
            [(2, 3, 7, 9), (5, 5)],
            [(3, 2, 6, 11), (4, 5)],
            fills=[normal, rois(2, *extent)],
            gradient=False,
            note="is not the true gradient, as the original; mnc/test_roi_warping.py",
        )
        for params, extent in (
            ("pooled_h: 3 pooled_w: 4 spatial_scale: 0.1", (80, 110)),
            ("pooled_h: 2 pooled_w: 5 spatial_scale: 0.0625", (120, 160)),
            ("pooled_h: 4 pooled_w: 3", (8, 10)),
        )
    ),
    *(
        Case(
            f'type: "MaskResize" mask_resize_param {{ output_height: {height} output_width: {width} }}',
            [(2, 3, 9, 7)],
            [(3, 2, 6, 8)],
            gradient=not note,
            note=note,
        )
        for height, width, note in (
            (4, 3, ""),
            (6, 7, ""),
            (20, 11, "leaves out places, as the original; mnc/test_mask_resize.py"),
        )
    ),
    *(
        Case(
            f'type: "MaskResize" mask_resize_param {{ output_height: 3 output_width: 4 {params} }}',
            [(2, 3, 9, 7)],
            [(3, 2, 6, 8)],
        )
        for params in ("factor_height: 0.5", "factor_height: 0.7 factor_width: 0.4")
    ),
    Case(
        'type: "MaskPooling"',
        [(2, 3, 5, 4), (2, 1, 5, 4)],
        [(3, 2, 4, 6), (3, 1, 4, 6)],
        fills=[normal, unit],
    ),
    Case(
        'type: "WeightedSigmoidCrossEntropyLoss"',
        [(3, 4), (3, 2, 2), (3, 4)],
        [(2, 5)] * 3,
        fills=[normal, unit, unit],
    ),
    *(
        Case(
            f'type: "WeightedSigmoidCrossEntropyLoss" loss_param {{ {params} }}',
            [(4, 3, 2)] * 3,
            [(2, 7)] * 3,
            fills=[normal, labels(3), unit],
        )
        for params in (
            "",
            "ignore_label: 1 normalize: true",
            "normalization: FULL ignore_label: 0",
            "normalization: PRE_FIXED pre_fixed_normalizer: 7",
        )
    ),
]
