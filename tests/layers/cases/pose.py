"""Layers of OpenPose and of caffe-heatmap."""

from __future__ import annotations

from layers.harness import Case, apart

CASES = [
    *(
        Case(
            f'type: "ImResize" imresize_param {{ {params} }}',
            [(2, 3, 9, 7)],
            [(3, 2, 8, 12)],
            gradient=False,
            note="forward only",
        )
        for params in (
            "factor: 2.5 target_spatial_width: 8 target_spatial_height: 5",
            "factor: 3 start_scale: 0.8 scale_gap: 0.25 target_spatial_width: 10 target_spatial_height: 8",
            "target_spatial_width: 11 target_spatial_height: 6",
        )
    ),
    *(
        Case(
            f'type: "Nms" nms_param {{ {params} }}',
            [(2, 3, 9, 11)],
            [(3, 2, 12, 7)],
            fills=[apart],
            gradient=False,
            note="forward only",
        )
        for params in ("num_parts: 2", "num_parts: 1 threshold: 3 max_peaks: 2")
    ),
    Case(
        'type: "EuclideanLossHeatmap"',
        [(2, 3, 4, 5), (2, 3, 4, 5), (2, 1, 7, 6)],
        [(3, 2, 5, 1), (3, 2, 5, 1), (3, 1, 2, 2)],
        gradient=False,
        note="the gradient is the difference, as in the original; pose/test_pose.py",
    ),
]
