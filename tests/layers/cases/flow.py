"""Layers of FlowNet2."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import TEST, TRAIN
from layers.harness import Case, apart, normal


def flow(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Up to 3 pixels each way, away from whole numbers."""
    return rng.randint(-3, 3, shape) + rng.uniform(0.1, 0.9, shape)


def far(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Far from those of `apart`."""
    return 10 + rng.standard_normal(shape)


MAPS, OTHERS = (2, 3, 7, 6), (3, 2, 9, 8)
LOSS, OTHER_LOSS = (3, 2, 4, 5), (2, 4, 3, 6)
CASES = [
    *(
        Case(
            f'type: "{name}" correlation_param {{ {params} }}',
            [MAPS, MAPS],
            [OTHERS, OTHERS],
            gradient="SUBTRACT" not in params,
            note="compares the wrong pixels, as the original; flow/test_correlation.py"
            if "SUB" in params
            else "",
        )
        for name, params in (
            ("Correlation", "kernel_size: 1 max_displacement: 2 pad: 2"),
            ("Correlation", "kernel_size: 3 max_displacement: 2 pad: 3 stride_1: 2 stride_2: 2"),
            ("Correlation", "kernel_size: 1 max_displacement: 2 pad: 1"),
            ("Correlation", "kernel_size: 3 max_displacement: 1 pad: 2 correlation_type: SUBTRACT"),
            ("Correlation1D", "kernel_size: 1 max_displacement: 2 pad: 2"),
            ("Correlation1D", "kernel_size: 3 max_displacement: 2 pad: 3 stride_1: 2 stride_2: 2"),
            ("Correlation1D", "kernel_size: 1 max_displacement: 3 pad: 3 stride_2: 2 single_direction: -1"),
            ("Correlation1D", "kernel_size: 1 max_displacement: 2 pad: 2 single_direction: 1"),
            ("Correlation1D", "kernel_size: 3 max_displacement: 1 pad: 2 correlation_type: SUBTRACT"),
        )
    ),
    Case('type: "FlowWarp"', [MAPS, (2, 2, 7, 6)], [OTHERS, (3, 2, 9, 8)], fills=[normal, flow]),
    Case('type: "Warp"', [MAPS, (2, 2, 7, 6)], [OTHERS, (3, 2, 9, 8)], fills=[normal, flow]),
    Case('type: "Warping"', [MAPS, (2, 2, 7, 6)], [OTHERS, (3, 2, 9, 8)], fills=[normal, flow]),
    Case(
        'type: "WarpingOfImages"',
        [MAPS, (2, 1, 7, 6), (2, 1, 7, 6)],
        [OTHERS, (3, 1, 9, 8), (3, 1, 9, 8)],
        fills=[normal, flow, flow],
        gradient=False,
        note="its gradient is that of the warped image, as the original's; flow/test_warping.py",
    ),
    Case('type: "ChannelNorm"', [MAPS], [OTHERS]),
    *(
        Case(f'type: "NegReLU" {params}', [(4, 5)], [(2, 3, 4)], fills=[apart])
        for params in ("", "relu_param { negative_slope: 0.3 }")
    ),
    Case('type: "Grid"', [(2, 3, 4, 5)], [(3, 1, 6, 2)], gradient=False, note="it has none"),
    Case('type: "NegSquare"', [(4, 5)], [(2, 3, 4)]),
    *(
        Case(
            f'type: "ExpMax" {params}',
            [(2, 3, 4, 5)],
            [(3, 4, 2)],
            gradient=False,
            note="the original's takes the maximum as a number; flow/test_lite_flow.py",
        )
        for params in ("", "expmax_param { base: 2 scale: 0.7 shift: 1.5 }")
    ),
    *(
        Case(
            f'type: "Mean" mean_param {{ {params} }}',
            [(2, 4, 3, 5), (3, 2, 4, 1)],
            [(3, 2, 2, 6), (1, 6, 4, 3)],
            tops=2,
            gradient=False,
            note="forward only",
        )
        for params in (
            "operation: ADD value: 3",
            "operation: SUBTRACT value: 3 value: 5 mean_scale: 2 input_scale: 0.5 output_scale: 7",
        )
    ),
    *(
        Case(
            f'type: "Accum" accum_param {{ {params} }}',
            [(2, 3, 4, 5), (2, 1, 7, 3)],
            [(3, 2, 6, 2), (3, 4, 3, 4)],
        )
        for params in (
            "",
            "top_height: 9 top_width: 8",
            "size_divisible_by: 6",
            "top_height: 9 top_width: 8 have_reference: true",
        )
    ),
    *(
        Case(
            f'type: "Resample" resample_param {{ {params} }}',
            [(2, 3, 7, 6), (1, 1, 4, 9)][:bottoms],
            [(3, 2, 5, 8), (1, 1, 6, 3)][:bottoms],
            gradient=False,
            note="forward only",
        )
        for params, bottoms in (
            ("height: 4 width: 3", 1),
            ("height: 4 width: 3 antialias: false", 1),
            ("height: 14 width: 12 type: CUBIC", 1),
            ("height: 3 width: 3 type: CUBIC", 1),
            ("height: 10 width: 4 type: NEAREST", 1),
            ("type: LINEAR", 2),
        )
    ),
    *(
        Case(
            f'type: "Downsample" {params}',
            [(2, 3, 7, 6), (1, 1, 3, 4)][:bottoms],
            [(3, 2, 5, 8), (1, 1, 2, 5)][:bottoms],
            gradient=False,
            note="forward only",
        )
        for params, bottoms in (("downsample_param { top_height: 3 top_width: 2 }", 1), ("", 2))
    ),
    *(
        Case(
            f'type: "FlowL1Loss" l1_loss_param {{ {params} }}',
            [LOSS] * bottoms,
            [OTHER_LOSS] * bottoms,
            fills=[apart, far][:bottoms],
        )
        for params, bottoms in (
            ("", 2),
            ("plateau: 0.305", 1),
            ("l2_per_location: true normalize_by_num_entries: true", 2),
            ("l2_per_location: true l2_prescale_by_channels: true epsilon: 0.5", 2),
            ("l2_per_location: true plateau: 0.7", 1),
        )
    ),
    *(
        Case(
            f'type: "L1LossKitti" l1_loss_param {{ {params} }}',
            [LOSS] * 2,
            [OTHER_LOSS] * 2,
            fills=[apart, normal],
        )
        for params in (
            "normalize_by_num_entries: true",
            "plateau: 0.305",
            "l2_per_location: true l2_prescale_by_channels: true epsilon: 0.5",
        )
    ),
    *(
        Case(
            f'type: "LpqLoss" lpq_loss_param {{ {params} }}',
            [LOSS] * bottoms,
            [OTHER_LOSS] * bottoms,
            fills=[apart, far][:bottoms],
            phase=phase,
        )
        for params, bottoms, phase in (
            ("p: 2 q: 0.5", 2, TEST),
            ("p: 1.5 q: 0.4 p_epsilon: 0.2 q_epsilon: 0.3 normalize_by_num_entries: true", 2, TEST),
            ("p: 1 q: 0.4 l2_prescale_by_channels: true", 1, TEST),
        )
    ),
    Case(
        'type: "LpqLoss" lpq_loss_param { p: 2 q: 0.5 p: 1 q: 0.8 '
        "pq_episode_starts_at_iter: 0 pq_episode_starts_at_iter: 2 }",
        [LOSS],
        fills=[apart],
    ),
    Case('type: "FlowEltwise" eltwise_param { coeff: 0.3 }', [(4, 5)], [(2, 3, 4)]),
    *(
        Case(
            f'type: "RandomCrop" random_crop_param {{ {params} }}',
            [(2, 7, 9, 12)],
            [(3, 7, 8, 15)],
            phase=phase,
            gradient=False,
            note="nothing takes a gradient",
        )
        for params, phase in (
            ("target_height: 5 target_width: 4", TRAIN),
            ("target_height: 8 target_width: 11", TRAIN),
            ("target_height: 4 target_width: 7", TEST),
        )
    ),
    *(
        Case(
            'type: "DataSwitch"',
            [(2, 3, 4, 5)] * bottoms,
            [(3, 2, 6)] * bottoms,
            gradient=False,
            note="nothing takes a gradient",
        )
        for bottoms in (1, 4)
    ),
]
