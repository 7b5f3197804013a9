"""Layers of nets that say something of each pixel."""

from __future__ import annotations

import numpy as np

from layers.harness import Case, apart, indices, labels, normal, unit


def edges(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Targets of edge nets: 0 and 1, both in each image."""
    values = (rng.uniform(size=(shape[0], int(np.prod(shape[1:])))) < 0.4).astype(float)
    values[:, 0], values[:, -1] = 0, 1
    return values.reshape(shape)


def uncertain(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Like `edges`, and some 0.5 between."""
    return np.where(rng.uniform(size=shape) < 0.2, 0.5, edges(rng, shape))


def scales(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Of skeletons: from -1 to 250, a third of them 0."""
    return np.where(rng.uniform(size=shape) < 0.3, 0, rng.uniform(-1, 250, shape))


FMEASURE = [(4, 1, 3, 5)] * 4, [(3, 1, 2, 6)] * 4
MASKED = [(2, 3, 4, 5)] * 2, [(3, 2, 6, 7)] * 2

CASES = [
    *(
        Case(
            f'type: "SegAccuracy" seg_accuracy_param {{ {params} }}',
            [(2, 5, 4, 3), (2, 1, 4, 3)],
            [(3, 5, 2, 6), (3, 1, 2, 6)],
            fills=[normal, labels(5)],
            gradient=False,
            note="it has none",
        )
        for params in ("", "ignore_label: 1 ignore_label: 4 ignore_label: 255")
    ),
    Case(
        'type: "SegAccuracy" seg_accuracy_param { reset: false }',
        [(2, 5, 4, 3), (2, 1, 4, 3)],
        fills=[normal, labels(5)],
        gradient=False,
        note="it has none",
    ),
    Case(
        'type: "PR"',
        [(2, 1, 4, 5), (2, 1, 4, 5)],
        [(3, 1, 2, 6), (3, 1, 2, 6)],
        fills=[unit, labels(2)],
        gradient=False,
        note="it has none",
        tops=5,
    ),
    Case(
        'type: "PR" precision_recall_param { thresh: 0.3 ignore_label: 2 }',
        [(2, 1, 4, 5), (2, 1, 4, 5)],
        fills=[unit, labels(3)],
        gradient=False,
        note="it has none",
        tops=5,
    ),
    Case(
        'type: "SigmoidCrossEntropyBalanceLoss"',
        [(3, 1, 4, 5), (3, 1, 4, 5)],
        [(2, 1, 6, 7), (2, 1, 6, 7)],
        fills=[normal, edges],
    ),
    Case(
        'type: "SigmoidCrossEntropyBalanceLoss"',
        [(3, 1, 4, 5), (3, 1, 4, 5)],
        fills=[normal, uncertain],
        gradient=False,
        note="other targets have a gradient; test_edge_losses.py",
    ),
    Case(
        'type: "SigmoidCrossEntropyBalanceLoss" '
        "sigmoid_cross_entropy_balance_loss_param { negative_weight: 1.1 ignore_others: true }",
        [(3, 1, 4, 5), (3, 1, 4, 5)],
        [(2, 1, 6, 7), (2, 1, 6, 7)],
        fills=[normal, uncertain],
    ),
    *(
        Case(
            f'type: "WeightedFmeasureLoss" weighted_fmeasure_loss_param {{ {params} }}',
            *FMEASURE,
            fills=[unit, edges, unit, unit],
            tops=tops,
            diff_tops=[0],
            gradient=False,
            note="the gradient is not the slope; test_binarization.py",
        )
        for params, tops in (("", 2), ("margin: 0.2", 1), ("avg_fm: false", 1))
    ),
    Case(
        'type: "WeightedFmeasureLoss" weighted_fmeasure_loss_param { mse_lambda: 0.4 }',
        *FMEASURE,
        fills=[unit, labels(1), unit, unit],
    ),
    Case(
        'type: "DiceCoefLoss"', [(3, 2, 4, 5), (3, 2, 4, 5)], [(2, 1, 6, 7), (2, 1, 6, 7)], fills=[unit, unit]
    ),
    *(
        Case(f'type: "Unpooling" unpooling_param {{ {params} }}', *MASKED, fills=[normal, indices])
        for params in (
            "kernel_size: 2 stride: 2 unpool_h: 12 unpool_w: 14",
            "kernel_h: 3 kernel_w: 3 stride_h: 2 stride_w: 2",
            "output_h: 15 output_w: 13",
            "scale: 3",
        )
    ),
    *(
        Case(f'type: "Unpooling" unpooling_param {{ {params} }}', [(2, 3, 4, 5)], [(3, 2, 6, 7)])
        for params in (
            "kernel_size: 2 stride: 2",
            "kernel_size: 3 stride: 2 unpool_size: 11",
            "unpool: AVE kernel_size: 3 stride: 2 unpool_h: 8 unpool_w: 13",
        )
    ),
    Case(
        'type: "Unpooling" '
        "unpooling_param { kernel_h: 1 kernel_w: 2 stride_h: 2 stride_w: 1 unpool_h: 13 unpool_w: 6 }",
        [(2, 3, 4, 5)],
    ),
    Case(
        'type: "Unpooling" unpooling_param { unpool: TILE kernel_size: 3 stride: 2 unpool_size: 9 }',
        [(2, 3, 4, 5)],
        [(3, 2, 6, 7)],
        gradient=False,
        note="the gradient is the mean of a window's; test_unpooling.py",
    ),
    Case(
        'type: "Quantize"', [(2, 1, 4, 5)], [(3, 2, 6, 2)], fills=[scales], gradient=False, note="it has none"
    ),
    Case(
        'type: "Rescale" rescale_param { rf: 14 }',
        [(2, 1, 4, 5)],
        [(3, 2, 6, 2)],
        fills=[scales],
        gradient=False,
        note="it has none",
        tops=2,
    ),
    *(
        Case(
            f'type: "{type}" {param} {{ num_iterations: 3 theta_alpha: 4 theta_beta: 0.5 theta_gamma: 2 {weights} }}',
            [(2, 4, 5, 6), (2, 4, 5, 6), (2, features, 5, 6)],
            [(1, 4, 7, 3), (1, 4, 7, 3), (1, features, 7, 3)],
            fills=[normal, apart],
        )
        for type, param, features in (
            ("MultiStageMeanfield", "multi_stage_meanfield_param", 3),
            ("MultiStageMeanfieldAU3", "multi_stage_meanfield_au3_param", 1),
        )
        for weights in (
            "spatial_filter_weight: 3 bilateral_filter_weight: 5",
            'spatial_filter_weights_str: "3 2" bilateral_filter_weights_str: "5 4 6 1"',
        )
    ),
]
