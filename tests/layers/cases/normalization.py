"""Layers that normalise: BatchNorm, LRN, MVN, Normalize, Softmax."""

from __future__ import annotations

from caffe_compat.layers.base import TEST
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
        Case(f'type: "LRN" lrn_param {{ {params} }}', [(2, 7, 3, 5)], [(3, 2, 6, 8)])
        for params in (
            "local_size: 5 alpha: 0.5 k: 2",
            "local_size: 3 alpha: 2 beta: 0.6",
            "local_size: 3 alpha: 2 norm_region: WITHIN_CHANNEL",
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
