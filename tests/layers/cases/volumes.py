"""Layers of three dimensions, and of more: pooling, and the loss of voxels. Convolutions stand among the filters."""

from __future__ import annotations

from layers.harness import Case, apart, labels, normal

CASES = [
    *(
        Case(
            f'type: "Pooling3D" pooling3d_param {{ {params} }}',
            [(2, 3, 5, 7, 6)],
            [(3, 2, 4, 5, 8)],
            fills=[apart],
        )
        for params in (
            "kernel_size: 2 kernel_depth: 1 stride: 2",
            "kernel_size: 3 kernel_depth: 2 stride: 2 temporal_stride: 3",
            "pool: AVE kernel_size: 3 kernel_depth: 2 stride: 2 pad: 1 temporal_stride: 2",
        )
    ),
    *(
        Case(
            f'type: "PoolingND" pooling_nd_param {{ {params} }}',
            [(2, 3, 5, 7, 6)],
            [(3, 2, 4, 5, 8)],
            fills=[apart],
            tops=tops,
            diff_tops=[0],
        )
        for params, tops in (
            ("kernel_size: 2 stride: 2", 1),
            ("kernel_size: 3 stride: 2 pad: 1", 2),
            (
                "pool: AVE kernel_size: 1 kernel_size: 2 kernel_size: 3 stride: 2 stride: 1 stride: 3 "
                "pad: 0 pad: 1 pad: 2",
                1,
            ),
            ("pool: AVE global_pooling: true", 1),
            ("kernel_size: 2 dilation: 3 dilation: 2 dilation: 1", 2),
            ("axis: 2 kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 0", 1),
        )
    ),
    *(
        Case(
            'type: "PoolingND" pooling_nd_param { axis: -3 kernel_h: 3 kernel_w: 4 stride_h: 1 stride_w: 3 '
            f"pad_h: 2 pad_w: 1 pool: {pool} }}",
            [(2, 3, 5, 7)],
            fills=[apart],
        )
        for pool in ("MAX", "AVE")
    ),
    *(
        Case(
            f'type: "NdPooling" pooling_nd_param {{ {params} }}',
            [(2, 3, 5, 7, 6)],
            [(3, 2, 4, 5, 8)],
            fills=[apart],
        )
        for params in (
            "kernel_size: 1 kernel_size: 2 kernel_size: 3 stride: 1 stride: 2 stride: 2",
            "pool: AVE kernel_size: 2 kernel_size: 3 kernel_size: 1 stride: 2 stride: 2 stride: 4 "
            "pad: 1 pad: 2 pad: 0",
            "pool: AVE global_pooling: true",
        )
    ),
    Case(
        'type: "VoxelSoftmaxLoss"',
        [(2, 3, 4, 1, 5), (2, 1, 4, 1, 5)],
        [(3, 5, 2, 4), (3, 1, 2, 4)],
        fills=[normal, labels(3)],
    ),
]
