"""Layers that normalise: BN, BatchNorm, LRN, MVN, Normalize, Softmax."""

from __future__ import annotations

from caffe_compat.layers.base import TEST, TRAIN
from layers.cases.shared import IMAGE, OTHER_IMAGE
from layers.harness import Case, apart

CASES = [
    Case('type: "BatchNorm"', [IMAGE], [(4, 3, 6, 8)], fixed_params=[0, 1, 2]),
    Case('type: "BatchNorm" batch_norm_param { eps: 0.1 }', [(7, 3)], [(5, 3)], fixed_params=[0, 1, 2]),
    Case('type: "BatchNorm"', [(7,)], [(5,)], fixed_params=[0, 1, 2]),
    Case('type: "BatchNorm"', [IMAGE], [(4, 3, 6, 8)], phase=TEST, fixed_params=[0, 1, 2]),
    *(
        Case(
            f'type: "BatchNorm" batch_norm_param {{ {params} }}',
            [(2, 3, 4, 5)],
            [(4, 3, 2, 5)],
            fills=[apart],
            fixed_params=[0, 1, 2],
        )
        for params in ("moving_average_fraction: 0.5", "use_global_stats: true")
    ),
    Case(
        'type: "BatchNorm" batch_norm_param { scale_bias: true moving_average_fraction: 0.5 }',
        [(2, 3, 4, 5)],
        [(4, 3, 2, 5)],
        fixed_params=[0, 1, 2],
    ),
    Case(
        'type: "BatchNorm" batch_norm_param { scale_filler { value: 3 } bias_filler { value: 2 } '
        "use_global_stats: true scale_bias: true }",
        [(2, 3, 4, 5)],
        [(4, 3, 2, 5)],
        fixed_params=[0, 1, 2],
    ),
    Case(
        'type: "BatchNorm" batch_norm_param { scale_filler { value: 3 } }',
        [(7, 3)],
        [(5, 3)],
        fixed_params=[0, 1, 2],
    ),
    *(
        Case(
            f'type: "BN" bn_param {{ {params} }}',
            [(2, 3, 4, 5)],
            [(4, 3, 2, 5)],
            fills=[apart],
            fixed_params=[2, 3],
            phase=phase,
        )
        for phase, params in (
            (TRAIN, "slope_filler { value: 2 } bias_filler { value: 1 } momentum: 0.6 eps: 0.1"),
            (TEST, "moving_average: false eps: 0.1"),
        )
    ),
    Case('type: "BN"', [(7, 3)], [(5, 3)], fixed_params=[2, 3]),
    Case(
        'type: "BN" bn_param { frozen: true eps: 0.1 slope_filler { value: 2 } bias_filler { value: 1 } }',
        [IMAGE],
        [(4, 3, 6, 8)],
        fixed_params=[0, 1, 2, 3],
    ),
    Case(
        'type: "BN"',
        [IMAGE],
        [(4, 3, 6, 8)],
        fixed_params=[2, 3],
        phase=TEST,
        gradient=False,
        note="the gradient in testing is that of training; test_bn.py",
    ),
    Case(
        'type: "BN" bn_param { scale_filler { value: 2 } shift_filler { value: 1 } }',
        [(2, 3, 4, 5)],
        [(4, 3, 2, 5)],
        fills=[apart],
        tops=3,
        diff_tops=[0],
    ),
    Case('type: "BN" bn_param { bn_mode: INFERENCE }', [IMAGE], [(4, 3, 6, 8)], tops=2, diff_tops=[0]),
    Case(
        'type: "CuDNNBatchNorm" cudnn_batch_norm_param { scale_filler { value: 2 } bias_filler { value: 1 } '
        "momentum: 0.6 eps: 0.1 }",
        [(2, 3, 4, 5)],
        [(4, 3, 2, 5)],
        fills=[apart],
        fixed_params=[2, 3],
    ),
    Case(
        'type: "CuDNNBatchNorm" cudnn_batch_norm_param { frozen: true eps: 0.1 }',
        [IMAGE],
        [(4, 3, 6, 8)],
        fixed_params=[2, 3],
        gradient=False,
        note="scale and bias are frozen too, and have none; test_cudnn_batch_norm.py",
    ),
    *(
        Case(f'type: "GroupNorm" group_norm_param {{ {params} }}', [(2, 6, 4, 5)], [(3, 6, 7)], fills=[apart])
        for params in (
            "group_num: 3",
            "group_num: 1 eps: 0.1",
            "group: 2 scale_filler { value: 2 } bias_filler { value: 1 }",
        )
    ),
    *(
        Case(f'type: "LRN" lrn_param {{ {params} }}', [(2, 7, 3, 5)], [(3, 2, 6, 8)])
        for params in (
            "local_size: 5 alpha: 0.5 k: 2",
            "local_size: 3 alpha: 2 beta: 0.6",
            "local_size: 3 alpha: 2 norm_region: WITHIN_CHANNEL",
            "local_size: 13 alpha: 2 beta: 0.6 norm_region: WITHIN_CHANNEL",
        )
    ),
    Case('type: "MVN"', [IMAGE], [OTHER_IMAGE]),
    Case('type: "MVN" mvn_param { across_channels: true }', [IMAGE], [OTHER_IMAGE]),
    Case('type: "MVN" mvn_param { normalize_variance: false }', [IMAGE], [OTHER_IMAGE]),
    Case('type: "MVN" mvn_param { across_channels: true }', [(2, 7)], [(3, 5)]),
    Case('type: "MVN" mvn_param { eps: 0 across_channels: true }', [(2, 3, 5)]),
    Case(
        'type: "MVN" mvn_param { eps: 0.5 }',
        [IMAGE],
        [OTHER_IMAGE],
        gradient=False,
        note="Caffe's gradient takes no account of eps; test_mvn.py",
    ),
    *(
        Case(
            f'type: "Normalize" norm_param {{ across_spatial: {across} channel_shared: {shared} eps: 0.1 }}',
            [(2, 3, 4, 5)],
            [(4, 3, 2, 6)],
            gradient=shared == "true",
            note=""
            if shared == "true"
            else "Caffe's gradient is that of one scale for all; recordings have it",
        )
        for across in ("true", "false")
        for shared in ("true", "false")
    ),
    Case(
        'type: "Normalize" norm_param { scale_filler { value: 20 } eps: 0.1 }',
        [(2, 3, 4, 5)],
        [(4, 3, 2, 5)],
        fills=[apart],
    ),
    Case('type: "Softmax"', [IMAGE], [OTHER_IMAGE]),
    Case('type: "Softmax" softmax_param { axis: -1 }', [(2, 3, 5)], [(4, 1, 2)]),
]
