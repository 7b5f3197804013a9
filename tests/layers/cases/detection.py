"""SSD's layers, and Proposal. RPN's others are Python layers; their cases stand in their own tests."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle

import numpy as np

from layers.harness import Case, detections, normal, objects, priors, unit


def with_corners(rows: np.ndarray) -> np.ndarray:
    """Rows with a box in columns 3 to 6, and a quadrilateral a little off its corners behind them."""
    shifts = np.linspace(-0.03, 0.04, 8)
    return np.concatenate([rows, rows[..., [3, 4, 5, 4, 5, 6, 3, 6]] + shifts], axis=-1)


def texts(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """1 x 1 x G x 16: objects of one class in two images, and their quadrilaterals."""
    return with_corners(objects(2, 2)(rng, (*shape[:3], 8)))


def difficult_objects(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Objects of two of three images; the row that says that no more come is the last but two."""
    rows = objects(3, 4)(rng, shape)
    rows[0, 0, 1, 0] = 0  # where `objects` has -1
    rows[0, 0, -3, 0] = -1
    return rows


def small_steps(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return 0.3 * rng.standard_normal(shape)


def sizes(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Height, width, their scales (one of both where there are three columns), and numbers that do not count."""
    return np.column_stack(
        [
            rng.uniform(30, 40, shape[0]),
            rng.uniform(40, 50, shape[0]),
            *rng.uniform(1, 2, (shape[1] - 2, shape[0])),
        ]
    )


def priors_in_pixels(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """1 x 1 x 5P: rows of image and box in pixels, some of them beyond 30 x 20."""
    low = rng.uniform(-3, 20, (shape[2] // 5, 2))
    return np.column_stack([np.zeros(len(low)), low, low + rng.uniform(2, 9, low.shape)]).reshape(shape)


CASES = [
    *(
        Case(
            f'type: "RPROI" region_proposal_param {{ {params} }} roi_pooling_param {{ {pooling} }}',
            [(2, 2 * anchors, 3, 5), (2, 4 * anchors, 3, 5), (2, 3, 4, 6), (images, 3)],
            [(2, 2 * anchors, 4, 2), (2, 4 * anchors, 4, 2), (2, 1, 5, 4), (images, 3)],
            fills=[unit, small_steps, normal, sizes],
            tops=2,
            gradient=False,
            note="a choice of boxes of which nothing takes a gradient",
        )
        for images, anchors, params, pooling in (
            (
                2,
                2,
                "anchor_ratio: 0.7 anchor_ratio: 2 anchor_scale: 0.5 feature_stride: 9 min_box_size: 4 nms_max_out: 11",
                "pooled_h: 2 pooled_w: 3 spatial_scale: 0.1",
            ),
            (
                1,
                3,
                "anchor_ratio: 1 anchor_scale: 1 anchor_scale: 2 anchor_scale: 3 iou_threshold: 0.4 prenms_top: 19 "
                "min_box_size: 5",
                "pooled_h: 2 pooled_w: 1 spatial_scale: 0.11",
            ),
        )
    ),
    *(
        Case(
            f'type: "Proposal" proposal_param {{ {params} }}',
            [(2, 2 * anchors, 3, 5), (2, 4 * anchors, 3, 5), (images, columns)],
            [(2, 2 * anchors, 4, 2), (2, 4 * anchors, 4, 2), (images, columns)],
            fills=[unit, small_steps, sizes],
            tops=tops,
            gradient=False,
            note="a choice of boxes of which nothing takes a gradient",
        )
        for tops, anchors, images, columns, params in (
            (2, 2, 2, 4, "ratio: 0.7 ratio: 2 scale: 0.5 feat_stride: 9 min_size: 5 post_nms_topn: 17"),
            (1, 3, 1, 3, "ratio: 0.4 scale: 1 scale: 2 scale: 3 base_size: 11 nms_thresh: 0.4"),
            (2, 4, 1, 6, "ratio: 1.3 ratio: 0.5 scale: 1 scale: 2 min_size: 0 pre_nms_topn: 12"),
        )
    ),
    *(
        Case(
            f'type: "PriorBoxDensified" prior_box_param {{ {params} }}',
            [(2, 3, 4, 5), (2, 1, 30, 50)],
            [(3, 2, 6, 1), (3, 4, 20, 70)],
            gradient=False,
            note="from shapes only",
        )
        for params in (
            "fixed_size: 8 fixed_size: 13 density: 3 density: 2 aspect_ratio: 2 step: 7 variance: 0.3",
            "fixed_size: 9 density: 2 fixed_ratio: 0.5 fixed_ratio: 3 img_size: 40",
            "fixed_size: 9 density: 3 fixed_ratio: 0.1 offset: 0 clip: true",
            "fixed_size: 7 density: 2 aspect_ratio: 3 flip: false img_w: 40 img_h: 25 step_w: 8 step_h: 3",
        )
    ),
    *(
        Case(
            f'type: "PriorBoxTiled" prior_box_param {{ {params} }}',
            [(2, 3, 4, 5), (2, 1, 130, 150)],
            [(3, 2, 6, 1), (3, 4, 120, 170)],
            gradient=False,
            note="from shapes only",
        )
        for params in (
            "min_size: 32 min_size: 64.6 min_size: 128 step: 32",
            "min_size: 20 min_size: 32 clip: true variance: 0.3 offset: 0.25",
            "min_size: 64 img_size: 140 step_w: 9 step_h: 12",
            "min_size: 32 img_w: 140 img_h: 90",
        )
    ),
    *(
        Case(
            f'type: "PriorBoxStretched" prior_box_param {{ {params} }}',
            [(2, 3, 4, 5), (2, 1, 30, 50)],
            [(3, 2, 6, 1), (3, 4, 20, 70)],
            gradient=False,
            note="from shapes only",
        )
        for params in (
            "min_size: 7.7 min_size: 17.9 aspect_ratio: 0.5 aspect_ratio: 2 aspect_ratio: 1 step: 8",
            "min_size: 7.7 max_size: 12.6 aspect_ratio: 3 flip: false clip: true variance: 0.3 offset: 0.25",
            "min_size: 6 img_size: 40 step_w: 9 step_h: 12",
            "min_size: 6 img_w: 40 img_h: 25",
        )
    ),
    *(
        Case(
            f'type: "PriorBoxOffset" prior_box_param {{ {params} }}',
            [(2, 3, 4, 5), (2, 1, 30, 50)],
            [(3, 2, 6, 1), (3, 4, 20, 70)],
            gradient=False,
            note="from shapes only",
        )
        for params in (
            "min_size: 7.7 min_size: 17 aspect_ratio: 0.3 offset_w: 0.5 offset_h: 0.25 flip: false",
            "min_size: 7 aspect_ratio: 3 aspect_ratio: 2 offset_w: 0.2 offset_w: 0.7 offset_h: 0.1 offset_h: 1 "
            "clip: true variance: 0.3",
            "min_size: 6 aspect_ratio: 2 offset_w: 0.5 offset_w: 0 offset_h: 0.5 img_size: 40 step_w: 9 step_h: 12",
            "min_size: 6 aspect_ratio: 2 offset_w: 0.5 offset_h: 0.5 img_w: 40 img_h: 25 step: 8",
        )
    ),
    *(
        Case(
            f'type: "PriorBox" prior_box_param {{ {params} }}',
            [(2, 3, 4, 5), (2, 1, 30, 50)],
            [(3, 2, 6, 1), (3, 4, 20, 70)],
            gradient=False,
            note="from shapes only",
        )
        for params in (
            "min_size: 7",
            "min_size: 4 min_size: 9.5 max_size: 11 max_size: 23.5 aspect_ratio: 2 aspect_ratio: 3 clip: true",
            "min_size: 6 aspect_ratio: 2 flip: false variance: 0.1 variance: 0.2 variance: 0.3 variance: 0.4",
            "min_size: 6 img_size: 40 step: 8 offset: 0.25 variance: 0.3",
            "min_size: 6 img_w: 40 img_h: 25 step_w: 8 step_h: 3",
            "min_size: 6 max_size: 9 aspect_ratio: 2 offset: 0.25 denser_prior_boxes: true",
            "min_size: 6 min_size: 9 aspect_ratio: 2 aspect_ratio: 3 use_default: false",
        )
    ),
    *(
        Case(
            f'type: "PriorBoxClustered" prior_box_param {{ width: 9.5 width: 7 height: 3.25 height: 12 {params} }}',
            [(2, 3, 4, 5), (2, 1, 30, 50)],
            [(3, 2, 6, 1), (3, 4, 20, 70)],
            gradient=False,
            note="from shapes only",
        )
        for params in (
            "offset: 0.25 clip: true variance: 0.3",
            "img_size: 40 step: 8",
            "img_w: 40 img_h: 25 step_w: 8 step_h: 3",
        )
    ),
    *(
        Case(
            f'type: "DetectionOutput" detection_output_param {{ num_classes: 3 {params} }}',
            [(2, 4 * 9 * labels), (2, 3 * 9), (1, 2, 4 * 9)],
            [(4, 4 * 5 * labels), (4, 3 * 5), (1, 2, 4 * 5)],
            fills=[normal, unit, priors],
            gradient=False,
            note="a choice of boxes of which nothing takes a gradient",
        )
        for labels, params in (
            (1, ""),
            (1, "code_type: CENTER_SIZE confidence_threshold: 0.5 nms_param { nms_threshold: 0.4 top_k: 4 }"),
            (
                1,
                "code_type: CORNER_SIZE variance_encoded_in_target: true background_label_id: -1 keep_top_k: 7",
            ),
            (3, "share_location: false background_label_id: 1 nms_param { nms_threshold: 0.9 eta: 0.7 }"),
            (1, "confidence_threshold: 1"),
            (1, "nms_param { nms_threshold: 0.6 eta: 0.9 soft_nms: true theta: 0.2 } code_type: CENTER_SIZE"),
        )
    ),
    Case(
        'type: "DetectionOutput" detection_output_param { num_classes: 3 objectness_score: 0.4 }',
        [(2, 4 * 9), (2, 3 * 9), (1, 2, 4 * 9), (2, 2 * 9)],
        [(4, 4 * 5), (4, 3 * 5), (1, 2, 4 * 5), (4, 2 * 5)],
        fills=[normal, unit, priors, unit],
        gradient=False,
        note="a choice of boxes of which nothing takes a gradient",
    ),
    Case(
        'type: "DetectionOutput" detection_output_param { num_classes: 3 code_type: CENTER_SIZE }',
        [(2, 4 * 9), (2, 3 * 9), (1, 2, 4 * 9), (2, 2 * 9), (2, 4 * 9)],
        [(4, 4 * 5), (4, 3 * 5), (1, 2, 4 * 5), (4, 2 * 5), (4, 4 * 5)],
        fills=[normal, unit, priors, unit, normal],
        gradient=False,
        note="a choice of boxes of which nothing takes a gradient",
    ),
    *(
        Case(
            f'type: "DetectionOutputExtended" detection_output_param {{ num_classes: 2 {params} }}',
            [(2, 3, 4, 4 * 5), (2, 2 * 60), (1, 2, 4 * 60)],
            [(3, 2, 5, 4), (3, 2 * 10), (1, 2, 4 * 10)],
            fills=[normal, unit, priors],
            gradient=False,
            note="a choice of boxes of which nothing takes a gradient",
        )
        for params in (
            "",
            "code_type: CENTER_SIZE confidence_threshold: 0.5 nms_param { nms_threshold: 0.4 top_k: 8 } "
            "background_label_id: -1",
            "code_type: CORNER_SIZE variance_encoded_in_target: true keep_top_k: 7 nms_param { eta: 0.7 }",
            "confidence_threshold: 1",
            "nms_param { nms_threshold: 0.6 eta: 0.9 soft_nms: true theta: 0.2 } code_type: CENTER_SIZE",
        )
    ),
    *(
        Case(
            f'type: "DetectionOutputStates" detection_output_param {{ num_classes: 3 {params} }}',
            [(2, 4 * 9 * labels), (2, 3 * 9), (1, 2, 4 * 9), (2, states * 9)],
            [(4, 4 * 5 * labels), (4, 3 * 5), (1, 2, 4 * 5), (4, states * 5)],
            fills=[normal, unit, priors, unit],
            gradient=False,
            note="a choice of boxes of which nothing takes a gradient",
        )
        for labels, states, params in (
            (1, 6, ""),
            (
                1,
                2,
                "num_states: 2 code_type: CENTER_SIZE confidence_threshold: 0.5 "
                "nms_param { nms_threshold: 0.4 top_k: 4 }",
            ),
            (1, 1, "num_states: 1 code_type: CORNER_SIZE variance_encoded_in_target: true keep_top_k: 7"),
            (3, 2, "num_states: 2 share_location: false background_label_id: 1 nms_param { eta: 0.7 }"),
            (1, 2, "num_states: 2 confidence_threshold: 1"),
        )
    ),
    Case(
        'type: "DetectionOutput" detection_output_param { num_classes: 2 code_type: CENTER_SIZE use_polygon: true }',
        [(2, 12 * 9), (2, 2 * 9), (1, 2, 4 * 9)],
        [(4, 12 * 5), (4, 2 * 5), (1, 2, 4 * 5)],
        fills=[normal, unit, priors],
        gradient=False,
        note="a choice of boxes of which nothing takes a gradient",
    ),
    Case(
        'type: "DetectionOutput" detection_output_param { num_classes: 3 share_location: false normalized: false '
        "input_width: 30 input_height: 20 variance_encoded_in_target: true code_type: CENTER_SIZE }",
        [(1, 4 * 9 * 3), (1, 3 * 9), (1, 1, 5 * 9)],
        [(1, 4 * 5 * 3), (1, 3 * 5), (1, 1, 5 * 5)],
        fills=[normal, unit, priors_in_pixels],
        gradient=False,
        note="a choice of boxes of which nothing takes a gradient",
    ),
    *(
        Case(
            f'type: "DetectionEvaluate" detection_evaluate_param {{ {params} }}',
            [(1, 1, 23, 7), (1, 1, 11, 8)],
            [(1, 1, 5, 7), (1, 1, 19, 8)],
            fills=[detections(3, 4), difficult_objects],
            gradient=False,
            note="counts",
        )
        for params in (
            "num_classes: 4",
            "num_classes: 3 background_label_id: 7 overlap_threshold: 0.3 evaluate_difficult_gt: false",
        )
    ),
    Case(
        'type: "DetectionEvaluate" detection_evaluate_param { num_classes: 2 use_polygon: true }',
        [(1, 1, 23, 15), (1, 1, 11, 16)],
        [(1, 1, 5, 15), (1, 1, 19, 16)],
        fills=[lambda rng, shape: with_corners(detections(3, 2)(rng, (*shape[:3], 7))), texts],
        gradient=False,
        note="counts",
    ),
    *(
        Case(
            f'type: "MultiBoxLoss" multibox_loss_param {{ num_classes: 4 {params} }}',
            [(2, 4 * 13 * labels), (2, 4 * 13), (1, 2, 4 * 13), (1, 1, 6, 8)],
            [(4, 4 * 9 * labels), (4, 4 * 9), (1, 2, 4 * 9), (1, 1, 11, 8)],
            fills=[normal, normal, priors, objects(2, 4)],
        )
        for labels, params in (
            (1, "overlap_threshold: 0.3"),
            (
                1,
                "code_type: CENTER_SIZE match_type: BIPARTITE overlap_threshold: 0.1 loc_loss_type: L2 loc_weight: 2",
            ),
            (1, "code_type: CORNER_SIZE mining_type: HARD_EXAMPLE sample_size: 5 conf_loss_type: LOGISTIC"),
            (1, "mining_type: NONE ignore_cross_boundary_bbox: true use_difficult_gt: false"),
            (1, "nms_param { nms_threshold: 0.3 top_k: 9 } use_prior_for_nms: true neg_pos_ratio: 2"),
            (1, "nms_param { nms_threshold: 0.3 top_k: -1 } neg_overlap: 0.2"),
            (4, "mining_type: NONE share_location: false conf_loss_type: LOGISTIC"),
            (1, "use_prior_for_matching: false overlap_threshold: 0.2"),
            (1, "bp_inside: true overlap_threshold: 0.1"),
        )
    ),
    *(
        Case(
            f'type: "MultiBoxLoss" multibox_loss_param {{ num_classes: {classes} overlap_threshold: 0.2 {params} }} '
            f"{more}",
            [(2, 4 * 13), (2, classes * 13), (1, 2, 4 * 13), (1, 1, 6, 8)],
            [(4, 4 * 9), (4, classes * 9), (1, 2, 4 * 9), (1, 1, 11, 8)],
            fills=[normal, normal, priors, objects(2, most)],
        )
        for classes, most, params, more in (
            (4, 3, "background_label_id: 3", "loss_param { normalization: FULL }"),
            (4, 4, "", "loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 7 }"),
            (2, 4, "map_object_to_agnostic: true", "loss_param { normalize: false }"),
        )
    ),
    *(
        Case(
            f'type: "MultiBoxLoss" multibox_loss_param {{ num_classes: {classes} overlap_threshold: 0.2 {params} }}',
            [(2, 4 * 13), (2, classes * 13), (1, 2, 4 * 13), (1, 1, 6, 8), (2, 2 * 13), (2, 4 * 13)][
                :bottoms
            ],
            [(4, 4 * 9), (4, classes * 9), (1, 2, 4 * 9), (1, 1, 11, 8), (4, 2 * 9), (4, 4 * 9)][:bottoms],
            fills=[normal, normal, priors, objects(2, 4), unit, normal][:bottoms],
        )
        for classes, bottoms, params in (
            (2, 4, ""),
            (4, 5, "objectness_score: 0.5"),
            (4, 6, "objectness_score: 0.3 code_type: CENTER_SIZE mining_type: HARD_EXAMPLE sample_size: 5"),
            (4, 6, "bp_inside: true code_type: CORNER_SIZE"),
        )
    ),
    *(
        Case(
            'type: "MultiBoxLoss" multibox_loss_param { num_classes: 2 use_polygon: true code_type: CENTER_SIZE '
            f"overlap_threshold: 0.2 {params} }}",
            [(2, 12 * 13), (2, 2 * 13), (1, 2, 4 * 13), (1, 1, 6, 16)],
            [(4, 12 * 9), (4, 2 * 9), (1, 2, 4 * 9), (1, 1, 11, 16)],
            fills=[normal, normal, priors, texts],
            gradient=gradient,
            note="" if gradient else "the loss of the deltas is 20 at most; test_multibox_loss.py",
        )
        for gradient, params in (
            (True, "loc_weight: 0.1"),
            (False, ""),
            (True, "loc_weight: 0.1 mining_type: HARD_EXAMPLE sample_size: 5 use_prior_for_matching: false"),
            (True, "loc_weight: 0.2 mining_type: NONE bp_inside: true"),
        )
    ),
    Case(
        'type: "MultiBoxLoss" multibox_loss_param { num_classes: 4 encode_variance_in_target: true }',
        [(2, 4 * 13), (2, 4 * 13), (1, 2, 4 * 13), (1, 1, 6, 8)],
        [(4, 4 * 9), (4, 4 * 9), (1, 2, 4 * 9), (1, 1, 11, 8)],
        fills=[normal, normal, priors, objects(2, 4)],
        gradient=False,
        note="Caffe's gradient leaves out the division by the variances; test_multibox_loss.py",
    ),
]
# MultiBoxFocalLoss reads all that MultiBoxLoss does; its gradient is the same but for a factor
CASES += [
    replace(
        case,
        layer=case.layer.replace("MultiBoxLoss", "MultiBoxFocalLoss") + f" focal_loss_param {{ {params} }}",
        gradient=i < 2,
        note="the factor does not depend on what others say" if i >= 2 else "",
        id="",
    )
    for i, (case, params) in enumerate(
        zip(
            [case for case in CASES if case.type == "MultiBoxLoss" and "use_polygon" not in case.layer],
            cycle(["gamma: 3", "alpha: 0.5 gamma: 1"]),
            strict=False,
        )
    )
]
