"""Layers that single projects added."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import TEST, TRAIN
from layers.harness import Case, apart, labels, normal, unit


def large(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """So large that what a gradient adds for safety does not count."""
    return 2000 * rng.standard_normal(shape)


def places(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """From -1 to 6, away from whole numbers."""
    return rng.randint(-1, 6, shape) + rng.uniform(0.2, 0.8, shape)


def shares(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers that sum to 1 along axis 1, some of them 0."""
    values = np.maximum(rng.uniform(-0.5, 1, shape), 0)
    values[:, 0] += 0.1
    return values / values.sum(axis=1, keepdims=True)


DENSE_FILLERS = (
    'Filter_Filler { type: "xavier" } BN_Scaler_Filler { value: 2 } '
    'BN_Bias_Filler { type: "uniform" min: -1 }'
)


def unequal(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Of both signs, none as far from 0 as another one."""
    size = int(np.prod(shape))
    return ((1 + rng.permutation(size)) * rng.choice([-0.1, 0.1], size)).reshape(shape)


CASES = [
    *(
        Case(
            f'type: "CreateMaskVector" create_mask_vector_param {{ num_label: 5 {params} }}',
            [(3, 1, 2, 4)],
            [(2, 1, 3, 5)],
            fills=[lambda rng, shape: rng.randint(-1, 7, shape)],
            gradient=False,
            note="has no backward",
        )
        for params in ("", "pool: AVE")
    ),
    *(
        Case(
            f'type: "GRIDPooling" grid_pooling_param {{ pooled_h: {rows} pooled_w: {columns} }}',
            [(2, 3, 7, 5)],
            [(3, 2, 4, 9)],
            fills=[apart],
        )
        for rows, columns in ((3, 2), (2, 7))
    ),
    *(
        Case(f'type: "Flip" flip_param {{ {params} }}', [(2, 3, 4, 5)], [(3, 2, 6)])
        for params in ("", "flip_height: true", "flip_width: false flip_height: true")
    ),
    *(
        Case(
            f'type: "DenseBlock" denseblock_param {{ growthRate: 2 {params} }}',
            [(2, 3, 5, 4)],
            [(3, 3, 4, 6)],
            fixed_params=statistics,
            phase=phase,
            gradient=phase == TRAIN,
            note="" if phase == TRAIN else "the gradient in testing is that of training, see BN",
        )
        for params, statistics, phase in (
            (f"numTransition: 2 {DENSE_FILLERS}", [6, 7, 8, 9, 10], TRAIN),
            (
                f"numTransition: 3 initChannel: 3 use_BC: true {DENSE_FILLERS}",
                [*range(9, 15), *range(24, 31)],
                TRAIN,
            ),
            (
                f"numTransition: 2 use_dropout: true dropout_amount: 0.4 {DENSE_FILLERS}",
                [6, 7, 8, 9, 10],
                TRAIN,
            ),
            (f"numTransition: 1 moving_average_fraction: 0.3 {DENSE_FILLERS}", [3, 4, 5], TRAIN),
            (f"numTransition: 2 {DENSE_FILLERS}", [6, 7, 8, 9, 10], TEST),
        )
    ),
    Case(
        'type: "MaskOutputs" convolution_param { kernel_size: 3 }',
        [(4, 6), (4,)],
        [(2, 9, 1, 1), (2, 1)],
        fills=[normal, labels(2)],
    ),
    *(
        Case(
            f'type: "SelectChannels" filter_param {{ {params} }}',
            [shape] * bottoms,
            [(4, *shape[1:])] * bottoms,
            tops=bottoms,
            fixed_params=[0],
        )
        for params, shape, bottoms in (
            ("num_output: 3", (2, 5, 4), 1),
            ("axis: 2 num_output: 2", (2, 3, 4), 2),
        )
    ),
    *(
        Case(
            f'type: "ChannelScale" channel_scale_param {{ {params} }}',
            [(2, 3, 4, 5), (2, 1, 4, 5)],
            [(4, 5), (4,)],
            gradient=not note,
            note=note,
        )
        for params, note in (
            ("", ""),
            ("do_forward: false", "backward scales all the same, as the original; test_long_tail.py"),
            ("do_backward_feature: false", "what it switches off; test_long_tail.py"),
            ("do_backward_scale: false", "what it switches off; test_long_tail.py"),
        )
    ),
    *(
        Case(
            f'type: "GRN" {params}',
            [(2, 4, 3, 5)],
            [(3, 2)],
            gradient="dummy" not in params,
            note="passes on what comes; test_grn.py" if "dummy" in params else "",
        )
        for params in ("", "grn_param { bias: 0.7 }", "grn_param { dummy_backward: true }")
    ),
    *(
        Case(
            'type: "ScaleFilter" scale_filter_param { min_scale: 0.6 max_scale: 1.7 }',
            [(2, 4, 3, 5)],
            [(3, 2, 6, 1)],
            phase=phase,
        )
        for phase in (TRAIN, TEST)
    ),
    *(
        Case(
            f'type: "SpatialWta" spatial_wta_param {{ {params} }}',
            [(2, 3, 6, 7)],
            [(3, 1, 5, 8)],
            fills=[unequal],
            tops=tops,
            diff_tops=[0],
        )
        for params, tops in (
            ("global_wta: true", 1),
            ("kernel_size: 2 stride: 2", 2),
            ("kernel_h: 3 kernel_w: 2", 2),
            ("kernel_size: 3 stride_h: 2 stride_w: 3", 1),
        )
    ),
    Case('type: "Insanity"', [(4, 5)], [(2, 3, 6)]),
    Case('type: "Insanity" insanity_param { lb: 3 ub: 7 }', [(4, 5)]),
    Case('type: "Insanity" insanity_param { lb: 2 }', [(4, 5)], phase=TEST),
    *(
        Case(
            f'type: "Noise" noise_param {{ {params} }}',
            [(4, 5)],
            [(2, 3, 6)],
            gradient="std" not in params,
            note="takes the size of the bottom as a number, as the original" if "std" in params else "",
        )
        for params in ("uniform_range: 0.5 bias: 2", "gaussian_std: 0.4", "gaussian_std: 0.4 bias: 1")
    ),
    Case('type: "Noise" noise_param { gaussian_std: 0.4 }', [(4, 5)], phase=TEST),
    *(
        Case(
            f'type: "Local" local_param {{ num_output: 3 {params} }}',
            [(2, 2, 5, 4)],
            [(4, 2, 5, 4)],
        )
        for params in (
            "kernel_size: 3 weight_filler { type: 'gaussian' } bias_filler { type: 'gaussian' }",
            "kernel_size: 2 stride: 2 pad: 1 bias_term: false",
        )
    ),
    *(
        Case(
            f'type: "GradientScaler" gradient_scaler_param {{ {params} }}',
            [(4, 5), (2, 3)][:bottoms],
            [(2, 3), (4, 1)][:bottoms],
            tops=bottoms,
            gradient=False,
            note="turns the gradient round; test_long_tail.py",
        )
        for params, bottoms in (
            ("lower_bound: 0.3 upper_bound: 2 alpha: 5 max_iter: 4", 2),
            ("scale_factor: -0.1", 1),
            ("", 1),
        )
    ),
    Case('type: "ManhattanLoss"', [(4, 6), (4, 2, 3)], [(3, 8), (3, 4, 2)], fills=[large, large]),
    Case(
        'type: "ConsistencyLoss"',
        [(2, 8, 3), (2, 2, 5, 4)],
        [(3, 4), (3, 2, 4, 6)],
        fills=[places, normal],
    ),
    Case('type: "SoftmaxCrossEntropyLoss"', [(4, 5), (4, 5)], [(2, 3, 4), (2, 3, 4)], fills=[normal, shares]),
    Case(
        'type: "SoftmaxCrossEntropyLoss" softmax_param { axis: 0 }',
        [(1, 5, 3), (1, 5, 3)],
        fills=[normal, unit],
        gradient=False,
        note="of shares that do not sum to 1 the original's gradient is not the true one",
    ),
    *(
        Case(
            f'type: "WeightEuclideanLoss" weight_euclidean_loss_param {{ {params} }}',
            [(3, 136)] * bottoms,
            [(2, 68, 2)] * bottoms,
            fills=[normal, unit, unit][:bottoms],
            gradient=not note,
            note=note,
        )
        for params, bottoms, note in (
            ("contour_weight: 2 main_weight: 3 coarse_weight: 5", 2, ""),
            ("normalized: 1 coarse_weight: 0", 2, "takes the size of the face as a number, as the original"),
            ("normalized: 1 normalized_type: 1", 3, "leaves the factors out, as the original"),
        )
    ),
    *(
        Case(
            f'type: "Mixup" mixup_param {{ {params} }}',
            [(6, 3, 2), label],
            [(4, 5), (4, *label[1:])],
            fills=[normal, fill],
            tops=2,
            gradient=False,
            note="has no backward",
        )
        for params, label, fill in (("cls_num: 4", (6,), labels(4)), ("alpha: 0.4", (6, 3), shares))
    ),
    *(
        Case(
            f'type: "MMDLoss" mmd_param {{ {params} }}',
            [(4, 3), (5, 3)],
            [(3, 2, 1), (2, 2)],
            gradient=False,
            note="the original's gradient is of the mean, and takes the width as a number; test_long_tail.py",
        )
        for params in ("", "kernel_num: 2 kernel_mul: 3")
    ),
]
