"""Losses and Accuracy."""

from __future__ import annotations

import numpy as np

from layers.harness import Case, apart, far, labels, normal, unit


def even_labels(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """0 to 3, of each as many in every image."""
    values = np.arange(int(np.prod(shape[1:]))) % 4
    return np.stack([rng.permutation(values) for _ in range(shape[0])]).reshape(shape)


CASES = [
    Case('type: "SoftmaxWithLoss"', [(7, 5), (7,)], [(3, 6), (3,)], fills=[normal, labels(5)]),
    Case(
        'type: "SoftmaxWithLoss" loss_param { ignore_label: 1 }',
        [(2, 3, 4, 5), (2, 1, 4, 5)],
        [(3, 4, 5, 1), (3, 1, 5, 1)],
        fills=[normal, labels(3)],
        tops=2,
        diff_tops=[0],
    ),
    Case(
        'type: "SoftmaxWithLoss" softmax_param { axis: 2 } loss_param { normalization: BATCH_SIZE }',
        [(2, 3, 5), (2, 3)],
        [(4, 2, 6), (4, 2)],
        fills=[normal, labels(5)],
    ),
    Case(
        'type: "SoftmaxWithLoss" softmax_param { axis: -2 } loss_param { ignore_label: 2 }',
        [(2, 3, 5), (2, 5)],
        fills=[normal, labels(3)],
    ),
    *(
        Case(
            f'type: "SoftmaxWithLoss" loss_param {{ {params} }}',
            [(2, 3, 4, 5), (2, 4, 5)],
            [(3, 4, 5, 1), (3, 5, 1)],
            fills=[normal, labels(3)],
        )
        for params in (
            "normalize: false",
            "normalization: BATCH_SIZE",
            "normalization: NONE",
            "normalization: FULL ignore_label: 1",
            "normalization: PRE_FIXED pre_fixed_normalizer: 7",
            "weight_by_label_freqs: true ignore_label: 1",
        )
    ),
    Case(
        'type: "SoftmaxWithLoss" softmax_param { axis: 2 } loss_param { ignore_label: 1 }',
        [(4, 2, 3, 5), (4, 2, 5)],
        [(2, 1, 4, 6), (2, 6)],
        fills=[normal, labels(3)],
        tops=3,
        diff_tops=[0],
    ),
    Case(
        'type: "SoftmaxWithLoss" loss_param { weight_by_label_freqs: true '
        "class_weighting: 0.5 class_weighting: 2 class_weighting: 3 }",
        [(2, 3, 4, 5), (2, 4, 5)],
        [(4, 3, 5, 1), (4, 5, 1)],
        fills=[normal, labels(3)],
    ),
    *(
        Case(
            f'type: "LabelWeightedSoftmaxWithLoss" {params}',
            [(2, 3, 4, 5), (2, 4, 5), (2, 1, 4, 5)],
            [(3, 4, 3, 1), (3, 3, 1), (3, 3)],
            fills=[normal, labels(3), unit],
            tops=tops,
            diff_tops=[0],
        )
        for params, tops in (
            ("loss_param { normalization: BATCH_SIZE ignore_label: 1 }", 1),
            ("loss_param { normalize: false }", 2),
            ("loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 7 }", 1),
        )
    ),
    Case(
        'type: "LabelWeightedSoftmaxWithLoss" softmax_param { axis: 2 }',
        [(2, 3, 5), (2, 3), (2, 3)],
        [(4, 2, 6), (4, 2), (4, 2)],
        fills=[normal, labels(5), unit],
    ),
    *(
        Case(
            f'type: "LSROLoss" loss_param {{ {params} }}',
            [(2, 3, 4, 5), (2, 1, 4, 5)],
            [(4, 4, 3), (4, 3)],
            fills=[normal, lambda rng, shape: labels(5)(rng, shape) - 2],
            tops=tops,
            diff_tops=[0],
        )
        for params, tops in (
            ("", 1),
            ("ignore_label: -1", 2),
            ("ignore_label: 0 normalize: false", 1),
            ("normalization: PRE_FIXED pre_fixed_normalizer: 7", 1),
        )
    ),
    Case('type: "RelevantLoss"', [(3, 7), (3, 7)], [(2, 4, 1, 1), (2, 4, 1)]),
    Case('type: "JSDLoss"', [(3, 4, 2), (3, 4, 2)], [(2, 5), (2, 5)], fills=[unit, unit]),
    Case(
        'type: "LSROLoss" softmax_param { axis: 2 }',
        [(4, 2, 3, 5), (4, 2, 5)],
        [(2, 1, 4, 6), (2, 6)],
        fills=[normal, lambda rng, shape: labels(4)(rng, shape) - 1],
    ),
    *(
        Case(
            f'type: "SoftmaxWithBalanceLoss" loss_param {{ {params} }}',
            [(2, 3, 4, 5), (2, 1, 4, 5)],
            [(3, 4, 6, 2), (3, 6, 2)],
            fills=[normal, even_labels],
            tops=tops,
            diff_tops=[0],
        )
        for params, tops in (
            ("normalize: false", 1),
            ("", 2),
            ("normalization: PRE_FIXED pre_fixed_normalizer: 7", 1),
        )
    ),
    Case(
        'type: "SoftmaxWithBalanceLoss" softmax_param { axis: 2 } loss_param { ignore_label: 1 }',
        [(4, 2, 3, 5), (4, 2, 5)],
        [(2, 1, 4, 6), (2, 6)],
        fills=[normal, labels(3)],
        gradient=False,
        note="it goes by the images up to its own; test_edge_losses.py",
    ),
    *(
        Case(
            f'type: "SoftmaxWithLossOHEM" loss_param {{ {params} }}',
            [(4, 3, 2, 5), (4, 1, 2, 5)],
            [(2, 4, 1, 1), (2,)],
            fills=[normal, labels(3)],
            tops=3,
            diff_tops=[0],
        )
        for params in (
            "ignore_label: 1",
            "normalization: PRE_FIXED pre_fixed_normalizer: 7",
            "normalization: NONE",
            "normalize: false",
        )
    ),
    Case(
        'type: "SoftmaxWithLossOHEM" softmax_param { axis: 2 }',
        [(4, 2, 3, 5), (4, 2, 5)],
        [(2, 1, 4, 6), (2, 6)],
        fills=[normal, labels(3)],
        tops=3,
        diff_tops=[0],
    ),
    Case('type: "SmoothL1Loss"', [(4, 6)] * 2, [(3, 8)] * 2),
    Case('type: "SmoothL1Loss" smooth_l1_loss_param { sigma: 2 }', [(4, 3, 2)] * 4, [(5, 2, 1)] * 4),
    Case(
        'type: "SmoothL1Loss"',
        [(4, 6)] * 3,
        [(3, 8)] * 3,
        fills=[normal, normal, labels(2)],
    ),
    *(
        Case(
            f'type: "SmoothL1Loss" loss_param {{ {params} }} smooth_l1_loss_param {{ sigma: 1.5 }}',
            [(4, 3, 2, 5)] * bottoms,
            [(3, 7)] * bottoms,
            fills=[normal, normal, labels(2), normal][:bottoms],
            tops=2,
            diff_tops=[0],
        )
        for bottoms, params in (
            (2, "normalization: PRE_FIXED pre_fixed_normalizer: 7"),
            (3, "normalization: VALID"),
            (4, "normalize: true"),
        )
    ),
    *(
        Case(
            f'type: "SmoothL1LossOHEM" loss_param {{ {params} }}',
            [(4, 8, 2, 3)] * bottoms,
            [(7, 5)] * bottoms,
            fills=[normal, normal, labels(2)][:bottoms],
            tops=2,
            diff_tops=[0],
        )
        for bottoms, params in (
            (2, ""),
            (3, "normalization: PRE_FIXED pre_fixed_normalizer: 7"),
            (3, "normalization: BATCH_SIZE"),
            (2, "normalize: false"),
        )
    ),
    Case('type: "EuclideanLoss"', [(4, 6), (4, 2, 3)], [(3, 8), (3, 4, 2)]),
    Case(
        'type: "ScaledEuclideanLoss"',
        [(4, 6), (4, 2, 3), (4, 3, 2)],
        [(3, 8), (3, 4, 2), (3, 8)],
        gradient=False,
        note="has the scale once, not squared, as the original; test_scaled_euclidean_loss.py",
    ),
    Case(
        'type: "KLDivLoss"',
        [(2, 1, 4, 5), (2, 1, 4, 5)],
        [(3, 1, 6, 3), (3, 1, 6, 3)],
        fills=[unit, unit],
        gradient=False,
        note="as in the original, the gradient leaves out how the sum depends on the other pixels; test_saliency.py",
    ),
    Case('type: "NSSLoss"', [(2, 1, 4, 5), (2, 1, 4, 5)], [(3, 1, 6, 3), (3, 1, 6, 3)], fills=[normal, unit]),
    Case('type: "L1Loss"', [(4, 6), (4, 2, 3)], [(3, 8), (3, 4, 2)], fills=[apart, normal]),
    Case('type: "MultinomialLogisticLoss"', [(7, 5), (7,)], [(3, 6), (3, 1)], fills=[unit, labels(5)]),
    Case('type: "HingeLoss"', [(7, 5), (7,)], [(3, 6), (3, 1)], fills=[normal, labels(5)]),
    Case(
        'type: "HingeLoss" hinge_loss_param { norm: L2 }',
        [(4, 2, 3), (4,)],
        [(3, 6, 2), (3,)],
        fills=[normal, labels(6)],
    ),
    *(
        Case(
            f'type: "ContrastiveLoss" contrastive_loss_param {{ {params} }}',
            [(6, 3), (6, 3), (6,)],
            [(4, 5), (4, 5), (4,)],
            fills=[far, far, labels(2)],
        )
        for params in ("margin: 40", "margin: 800 legacy_version: true")
    ),
    Case(
        'type: "ContrastiveLoss" contrastive_loss_param { margin: 800 }',
        [(6, 3), (6, 3), (6,), (6,)],
        [(4, 5), (4, 5), (4,), (4,)],
        fills=[far, far, labels(2), labels(3)],
    ),
    *(
        Case(
            f'type: "InfogainLoss" {params}',
            [(4, 3, 2), (4, 2), (3, 3)],
            [(2, 5, 3), (2, 3), (5, 5)],
            fills=[fill, labels(3), normal],
            tops=tops,
            diff_tops=[0],
        )
        for params, fill, tops in (
            ("", unit, 1),
            ("", normal, 2),
            ("loss_param { ignore_label: 1 normalization: FULL }", normal, 1),
            ("infogain_loss_param { axis: 1 }", normal, 2),
        )
    ),
    *(
        Case(
            f'type: "InfogainLoss" loss_param {{ {params} }}',
            [(4, 3, 2), (4, 2), (3, 3)],
            [(2, 5, 3), (2, 3), (5, 5)],
            fills=[normal, labels(3), normal],
        )
        for params in ("normalize: false", "normalization: PRE_FIXED pre_fixed_normalizer: 7")
    ),
    Case(
        'type: "InfogainLoss" infogain_loss_param { axis: 2 }',
        [(4, 2, 3), (4, 2), (1, 1, 3, 3)],
        [(2, 3, 5), (2, 3), (1, 1, 5, 5)],
        fills=[normal, labels(3), normal],
    ),
    *(
        Case(
            f'type: "SigmoidCrossEntropyLoss" loss_param {{ {params} }}',
            [(4, 3, 2), (4, 3, 2)],
            [(2, 7, 1), (2, 7)],
            fills=[normal, fill],
        )
        for params, fill in (
            ("", unit),
            ("normalization: FULL", unit),
            ("ignore_label: 1 normalize: true", labels(3)),
            ("ignore_label: 0 normalization: NONE", labels(2)),
            ("normalization: PRE_FIXED pre_fixed_normalizer: 7", unit),
        )
    ),
    *(
        Case(
            f'type: "{type}" loss_param {{ ignore_label: 0 normalization: VALID }}',
            shapes,
            fills=[normal, labels(1)],
            gradient=False,
            note="no label counts: the gradient is 0 everywhere",
        )
        for type, shapes in (
            ("SoftmaxWithLoss", [(2, 3, 5), (2, 5)]),
            ("SigmoidCrossEntropyLoss", [(2, 3), (2, 3)]),
            ("InfogainLoss", [(2, 3), (2,), (3, 3)]),
        )
    ),
    *(
        Case(
            f'type: "Accuracy" accuracy_param {{ {params} }}',
            [(4, 5, 2), (4, 2)],
            [(3, 6, 7), (3, 7)],
            fills=[normal, labels(5)],
            tops=tops,
            gradient=False,
            note="counts, forward only",
        )
        for params, tops in (
            ("top_k: 1", 1),
            ("top_k: 3 ignore_label: 2", 2),
            ("top_k: 2 min_is_better: true", 2),
        )
    ),
    Case(
        'type: "Accuracy" accuracy_param { axis: 2 }',
        [(4, 2, 5), (4, 2)],
        [(3, 7, 6), (3, 7)],
        fills=[normal, labels(5)],
        gradient=False,
        note="counts, forward only",
    ),
]
