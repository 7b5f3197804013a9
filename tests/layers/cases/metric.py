"""Faces and other features: margins, distances, norms."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import TEST, TRAIN
from layers.harness import Case, apart, labels, normal

NOT_TRUE = "the original's gradient is not the true one; test_metric.py"


def cosines(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """From -0.95 to 0.8, a few beyond the margins of the cases."""
    return rng.uniform(-0.95, 0.8, shape)


def distances(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """From 0.1 to 2, apart from each other and from what margins say."""
    count = int(np.prod(shape))
    return (0.1 + 0.08 * rng.permutation(count)[:count] + 0.013).reshape(shape)


CASES = [
    Case('type: "PS"', [(2, 3, 11, 4)], [(3, 1, 8, 5)], tops=4),
    *(
        Case(
            f'type: "FAPPYLoss" fappy_loss_param {{ {params} }}',
            [(15, 1, 1, 1), (6,)],
            [(10,), (5, 1)],
            fills=[cosines, labels(3)],
        )
        for params in ("", "delta: 0.3")
    ),
    *(
        Case(
            'type: "KernelLoss"' + params,
            shapes,
            others,
            fills=[normal, normal, labels(2), lambda rng, shape: rng.randint(0, 2, shape)],
            gradient=shapes[0][0] == 1,
            note="" if shapes[0][0] == 1 else NOT_TRUE,
        )
        for params, shapes, others in (
            ("", [(3, 4), (3, 4), (3,), (3,)], [(5, 2, 1), (5, 2, 1), (5,), (5, 1)]),
            (" kernel_loss_param { sigma_sq: 2.5 }", [(1, 4), (1, 4), (1,), (1,)], []),
        )
    ),
    *(
        Case(
            f'type: "GeneralContrastiveLoss" general_contrastive_loss_param {{ {params} }}',
            [(5, 4), (5,)],
            [(3, 6, 1), (3,)],
            fills=[distances, labels(4)],
            tops=2,
            diff_tops=[0],
        )
        for params in (
            "",
            "positive_margin: 0.31 negative_margin: 1.63 positive_weight: 2 negative_weight: 3",
            "exp_negative_weight: true positive_outlier_thresh: 1.53",
        )
    ),
    *(
        Case(
            f'type: "GeneralTripletLoss" general_triplet_loss_param {{ {params} }}',
            [(5, 4), (5,)],
            [(3, 6, 1), (3,)],
            fills=[distances, labels(4)],
            tops=2,
            diff_tops=[0],
            gradient=False,
            note="the original's is not the slope; test_metric.py",
        )
        for params in (
            "",
            "margin: 0.83 positive_weight: 2 negative_weight: 3",
            "hardest_only: true",
            "margin: 0.01 add_center_loss: false",
        )
    ),
    *(
        Case(
            f'type: "LabelSpecificRescale" label_specific_rescale_param {{ {params} }}',
            [(5, 4), (5,)],
            [(3, 6, 1), (3,)],
            fills=[apart, labels(4)],
            phase=phase,
        )
        for params, phase in (
            ("", TRAIN),
            ("positive_weight: 2.5 negative_weight: 0.5 for_ip: true", TRAIN),
            ("positive_weight: 2.5", TEST),
            ("negative_weight: 2.5 rescale_test: true", TEST),
        )
    ),
    Case('type: "CosineSimilarityLoss"', [(4, 3), (4, 3)], [(2, 5, 1), (2, 5)]),
    *(
        Case(
            f'type: "CenterLoss" center_loss_param {{ num_output: 3 {params} }}',
            [(4, *shape), (4,)],
            [(5, *shape), (5, 1)],
            fills=[normal, labels(3)],
            fixed_params=[0],
            gradient=gradient,
            note=note,
        )
        for params, shape, gradient, note in (
            ("center_filler { type: 'gaussian' }", (2, 3), False, "centres: " + NOT_TRUE),
            (
                "center_filler { type: 'xavier' } axis: -1 distance_type: 'L1'",
                (6,),
                False,
                "centres: " + NOT_TRUE,
            ),
        )
    ),
    Case(
        'type: "CenterLoss" center_loss_param { num_output: 3 axis: 2 }',
        [(4, 1, 5), (4,)],
        [(2, 1, 5), (2,)],
        fills=[normal, labels(3)],
        gradient=False,
        note="centres: " + NOT_TRUE,
    ),
    *(
        Case(
            f'type: "{type}" center_loss_param {{ cluster_num: 3 loss_weight: 0.5 alpha: 0.7 }}',
            [(4, 5), (4,)],
            [(6, 5), (6,)],
            fills=[normal, labels(3)],
            gradient=False,
            note=NOT_TRUE,
        )
        for type in ("MovingCenterLoss", "CenterLoss")
    ),
    *(
        Case(
            f'type: "CosinAddm" cosin_add_m_param {{ {params} }}',
            [(7, 3), (7,)],
            [(4, 5, 1), (4,)],
            fills=[cosines, labels(3)],
        )
        for params in ("", "m: 0.3")
    ),
    *(
        Case(
            f'type: "CombinedMargin" combined_margin_param {{ {params} }}',
            [(7, 3), (7,)],
            [(4, 5, 1), (4,)],
            fills=[cosines, labels(3)],
        )
        for params in ("", "m1: 0.9 m2: 0.3 m3: 0.2")
    ),
    Case(
        'type: "AdaCosAddmScale" adacos_add_m_scale_param { m: 0.3 num_classes: 5 }',
        [(7, 3), (7,)],
        [(4, 5, 1), (4,)],
        fills=[cosines, labels(3)],
        gradient=False,
        note="takes the scale as a number: " + NOT_TRUE,
    ),
    *(
        Case(
            f'type: "LabelSpecificAdd" label_specific_add_param {{ {params} }}',
            [(7, 3), (7,)],
            [(4, 5), (4,)],
            fills=[cosines, labels(3)],
            tops=tops,
            diff_tops=[0],
        )
        for params, tops in (
            ("bias: -0.35", 2),
            ("bias: 0.2", 1),
            ("bias_base: 0.3 bias_gamma: 0.1 bias_power: 0.5 iteration: 3 bias_max: 0.9", 2),
            ("bias_base: -0.3 bias_gamma: 0.1 bias_min: -0.9", 1),
        )
    ),
    *(
        Case(
            f'type: "{type}InnerProduct" {type.lower()}_inner_product_param {{ num_output: 4 {params} }}',
            [(5, *shape), (rows,)],
            [(3, *shape), (3 * rows // 5, 1)],
            fills=[normal, labels(4)],
            tops=tops,
            diff_tops=[0],
            fixed_params=[0] if type == "Margin" else [],
            gradient=type == "LargeMargin",
            note="" if type == "LargeMargin" else NOT_TRUE,
        )
        for type in ("LargeMargin", "Margin")
        for params, shape, rows, tops in (
            ("type: SINGLE weight_filler { type: 'gaussian' }", (2, 3), 5, 1),
            ("type: DOUBLE base: 3 weight_filler { type: 'gaussian' }", (6,), 5, 2),
            ("type: TRIPLE lambda_min: 2 axis: 2 weight_filler { type: 'gaussian' }", (2, 7), 10, 1),
            ("type: QUADRUPLE base: 0 weight_filler { type: 'gaussian' }", (7,), 5, 1),
            (
                "type: DOUBLE gamma: 0.5 power: 2 iteration: 3 weight_filler { type: 'gaussian' }",
                (7,),
                5,
                2,
            ),
        )
    ),
    Case(
        'type: "UnitNormalize"',
        [(2, 3)],
        [(4, 3, 5)],
        tops=2,
        diff_tops=[0],
    ),
    *(
        Case(f'type: "UnitNormalize" {params}', [(2, 3, 4, 5)], [(3, 4, 2, 1)], tops=tops)
        for params, tops in (
            ("softmax_param { normalize_type: 'L1' }", 1),
            ("normalize_param { bp_norm: true }", 2),
            ("normalize_param { bp_norm: true normalize_type: 'L1' }", 2),
        )
    ),
    Case('type: "NormL2"', [(4, 3, 2)], [(2, 5)]),
    Case('type: "Norm"', [(2, 3)], [(4, 3, 5)]),
    Case('type: "Norm"', [(2, 3, 4, 5)], [(3, 4, 2, 1)]),
    *(
        Case(
            f'type: "NormalizedInnerProduct" inner_product_param {{ num_output: 4 {params} }}',
            [(3, *shape)],
            [(2, *shape)],
            fixed_params=[0],
            gradient=False,
            note="of the weights " + NOT_TRUE,
        )
        for params, shape in (
            ("weight_filler { type: 'gaussian' } bias_filler { type: 'gaussian' }", (2, 3)),
            ("weight_filler { type: 'gaussian' } transpose: true bias_term: false", (5,)),
            ("weight_filler { type: 'gaussian' } axis: 2", (2, 7)),
        )
    ),
    *(
        Case(
            f'type: "InnerDistance" inner_distance_param {{ num_output: 4 {params} }}',
            [(3, *shape)],
            [(2, *shape)],
            fixed_params=[0] if "normalize" in params else [],
            gradient=not note,
            note=note,
        )
        for params, shape, note in (
            ("weight_filler { type: 'gaussian' }", (2, 3), ""),
            ("distance_type: 'L1' axis: 2", (2, 5), NOT_TRUE),
            ("normalize: true weight_filler { type: 'gaussian' }", (5,), "of the centres " + NOT_TRUE),
            ("transpose: true weight_filler { type: 'gaussian' }", (5,), ""),
        )
    ),
    *(
        Case(
            'type: "InnerDistance" param { } param { } inner_distance_param '
            f"{{ num_output: 4 weight_filler {{ type: 'gaussian' }} {params} }}",
            [(3, 5)],
            [(2, 5)],
        )
        for params in ("", "bias_filler { value: 2 }", "bias_term: false")
    ),
    Case('type: "InnerDistance"', [(3, 5), (4, 5)], [(2, 5), (6, 5)]),
    Case(
        'type: "InnerDistance" inner_distance_param { update_center_only: true }',
        [(3, 5), (4, 5), (3,)],
        [(2, 5), (6, 5), (2,)],
        fills=[normal, normal, labels(4)],
        gradient=False,
        note="of the centres only where the label says: " + NOT_TRUE,
    ),
    *(
        Case(
            f'type: "FocalLoss" {params}',
            [(4, 3, 2), (4, 2)],
            [(2, 5, 3), (2, 3)],
            fills=[normal, labels(3)],
            tops=tops,
            diff_tops=[0],
            gradient=not note,
            note=note,
        )
        for params, tops, note in (
            ("", 2, ""),
            ("focal_loss_param { gamma: 1.5 alpha: 0.6 } loss_param { ignore_label: 1 }", 1, ""),
            ("focal_loss_param { type: ONEADDP } loss_param { normalization: BATCH_SIZE }", 1, ""),
            ("focal_loss_param { type: ONEADDP alpha: 0.7 }", 1, NOT_TRUE),
            ("loss_param { normalize: false }", 1, ""),
            ("loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 7 }", 1, ""),
        )
    ),
    Case(
        'type: "FocalLoss" softmax_param { axis: 2 }',
        [(4, 2, 3), (4, 2)],
        [(2, 3, 5), (2, 3)],
        fills=[normal, labels(3)],
    ),
    *(
        Case(
            f'type: "LiftedStructSimilaritySoftmaxLoss" {params}',
            [(7, 5), (7,)],
            [(9, 4, 1, 1), (9, 1)],
            fills=[normal, labels(3)],
        )
        for params in ("", "lifted_struct_sim_softmax_loss_param { margin: 3.5 }")
    ),
    Case('type: "TripletLoss"', [(4, 5)] * 3, [(3, 2, 1, 1)] * 3),
    Case('type: "TripletLoss" triplet_loss_param { margin: 6 }', [(4, 5)] * 3),
    Case('type: "TripletLoss" triplet_loss_param { margin: 6 }', [*[(4, 5)] * 3, (4,)]),
]
