"""Layers of MS-CNN and Cascade R-CNN."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import TEST
from layers.cases.yolo import gridded
from layers.harness import Case, Fill, normal, rois, unit

NO_GRADIENT = {"gradient": False, "note": "a choice of boxes of which nothing takes a gradient"}
TWO_NUMBERS = {
    "gradient": False,
    "note": "of the top's two numbers one has a gradient; test_anchor_losses.py",
}
MEANS = "bbox_mean: 0.1 bbox_mean: -0.2 bbox_mean: 0.15 bbox_mean: 0.05"
STDS = "bbox_std: 0.5 bbox_std: 0.4 bbox_std: 0.3 bbox_std: 0.6"
REGRESSION = f"bbox_reg_param {{ {MEANS} {STDS} }}"


def maps_of_truth(classes: int, stride: int, share: float = 0.4) -> Fill:
    """N x 6 x H x W: class, box (centre and size), overlap; a share of the places has a class above 0, or one has."""

    def fill(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
        num, _, height, width = shape
        label = rng.randint(1, classes, (num, height, width)) * (
            rng.uniform(size=(num, height, width)) < share
        )
        if not share:
            label.reshape(num, -1)[np.arange(num), rng.randint(0, height * width, num)] = classes - 1
        y, x = np.mgrid[:height, :width] * stride
        near = rng.uniform(0, 2 * stride, (2, num, height, width))
        size = rng.uniform(1, 5 * stride, (2, num, height, width))
        overlap = rng.uniform(0, 1, (num, height, width))
        return np.stack([label, x + near[0], y + near[1], *size, overlap], axis=1)

    return fill


def boxes_of_truth(images: int, classes: int, height: int, width: int) -> Fill:
    """G x 7 or 8: image (-1 in one row), box, class (0 in one row), ignored (one row), difficult."""

    def fill(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
        rows = rois(images, height, width)(np.random.RandomState(8), (shape[0], 5))
        rows[1, 0] = -1
        more = np.zeros((shape[0], 3))
        more[:, 0] = rng.randint(1, classes, shape[0])
        more[2, 0], more[3, 1], more[4, 2] = 0, 1, 1
        return np.hstack([rows, more])[:, : shape[1]]

    return fill


def near_truth(images: int, height: int, width: int) -> Fill:
    """R x 5 RoIs; the last ones near boxes of boxes_of_truth."""

    def fill(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
        rows = rois(images, height, width)(rng, shape)
        near = rois(images, height, width)(np.random.RandomState(8), (7, 5))[5:]
        rows[-2:] = near + np.column_stack([np.zeros(2), rng.uniform(-3, 3, (2, 4))])
        return rows

    return fill


def matches(classes: int) -> Fill:
    """R x 6: class (some 0), box and overlap from 0.9 on."""

    def fill(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
        label = rng.randint(0, classes, shape[0])
        label[0], overlap = classes - 1, rng.uniform(0.9, 1, shape[0])
        overlap[0] = 0.93
        return np.column_stack([label, rois(1, 60, 70)(rng, (shape[0], 5))[:, 1:], overlap])

    return fill


def small(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return 0.3 * rng.standard_normal(shape)


def image_size(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return np.array([[60, 75]])


def rois_of_one(width: int) -> Fill:
    """R x 5 or 6 RoIs of image 0."""

    def fill(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
        return np.hstack([rois(1, 60, 70)(rng, (shape[0], 5)), np.ones((shape[0], 1))])[:, :width]

    return fill


def loss(params: str, more: str = "", classes: int = 3, share: float = 0.4) -> Case:
    return Case(
        f'type: "DetectionLoss" detection_loss_param {{ cls_num: {classes} field_w: 20 field_h: 28 downsample_rate: 8 '
        f"{params} }} {more}",
        [(2, classes + 4, 5, 6), (2, 6, 5, 6)],
        [(3, classes + 4, 7, 4), (3, 6, 7, 4)],
        fills=[normal, maps_of_truth(3, 8, share)],
        **TWO_NUMBERS,
    )


FIELDS = "field_w: 20 field_w: 31 field_h: 28 field_h: 17"


def group_loss(params: str, more: str = "", classes: int = 3) -> Case:
    return Case(
        f'type: "DetectionGroupLoss" detection_group_loss_param {{ cls_num: {classes} {FIELDS} stride: 8 '
        f'neg_mining_type: "bootstrap" {params} }} {more}',
        [(4, classes, 5, 6), (4, 4, 5, 6), (4, 6, 5, 6)],
        [(6, classes, 7, 4), (6, 4, 7, 4), (6, 6, 7, 4)],
        fills=[normal, normal, maps_of_truth(3, 8, 0)],
        **TWO_NUMBERS,
    )


def targets(params: str, more: str = "", columns: int = 8, tops: int = 7) -> Case:
    return Case(
        f'type: "ProposalTarget" proposal_target_param {{ cls_num: 4 num_img_per_batch: 2 {params} }} {more}',
        [(13, 5), (7, columns)],
        [(9, 5), (11, columns)],
        fills=[near_truth(2, 60, 70), boxes_of_truth(2, 4, 60, 70)],
        tops=tops,
        **NO_GRADIENT,
    )


CASES = [
    *(
        Case(
            f'type: "DecodeBBox" {params}',
            [(9, 8), (9, 5), (9, 6)][:bottoms],
            [(12, 8), (12, 5), (12, 6)][:bottoms],
            fills=[normal, rois(2, 60, 70), matches(3)][:bottoms],
            **kwargs,
            **NO_GRADIENT,
        )
        for params, bottoms, kwargs in (
            (f"{REGRESSION} decode_bbox_param {{ gt_iou_thr: 0.97 }}", 3, {}),
            ("", 3, {}),
            (f"bbox_reg_param {{ {MEANS} {STDS} }}", 2, {}),
            ("", 2, {"phase": TEST}),
        )
    ),
    *(
        Case(
            f'type: "BboxAccuracy" {params}',
            [(9, columns), (9, 5), (9, 6)],
            [(12, columns), (12, 5), (12, 6)],
            fills=[small, rois(2, 60, 70), matches(3)],
            tops=tops,
            **NO_GRADIENT,
        )
        for params, columns, tops in (
            (REGRESSION, 12, 2),
            (f"bbox_reg_param {{ cls_aware: false {STDS} {MEANS} }}", 8, 1),
        )
    ),
    *(
        Case(
            f'type: "BoxOutput" box_output_param {{ field_w: 20 field_w: 31 field_h: 28 field_h: 17 downsample_rate: 8 '
            f"downsample_rate: 16 {params} }} {more}",
            [(2, 7, 4, 5), (2, 7, 3, 2)],
            [(3, 6, 3, 6), (3, 6, 2, 4)],
            tops=tops,
            **NO_GRADIENT,
        )
        for params, more, tops in (
            ("", "", 1),
            ("fg_thr: -0.5 iou_thr: 0.2 min_size: 9 field_whr: 3 field_xyr: 1.5", REGRESSION, 2),
            ('nms_type: "IOMU" iou_thr: 0.45 max_nms_num: 3', "", 2),
            ('nms_type: "IOFU" iou_thr: 0.45', "", 2),
            ("iou_thr: 0.9 max_post_nms_num: 3", "", 1),
            ("fg_thr: 20", "", 2),  # no box
        )
    ),
    *(
        Case(
            f'type: "BoxGroupOutput" box_group_output_param {{ box_group_param {{ {FIELDS} stride: 8 }} '
            f"box_group_param {{ field_w: 40 field_h: 31 stride: 16 }} {params} }} {more}",
            [(4, 3, 4, 5), (4, 4, 4, 5), (2, 3, 3, 2), (2, 4, 3, 2)],
            [(6, 2, 3, 6), (6, 4, 3, 6), (3, 2, 2, 1), (3, 4, 2, 1)],
            fills=[unit, normal, unit, normal],
            tops=tops,
            **NO_GRADIENT,
        )
        for params, more, tops in (
            ("", "", 1),
            ("fg_thr: 0.4 iou_thr: 0.2 min_size: 9 field_whr: 3 field_xyr: 1.5", REGRESSION, 2),
            ('nms_type: "IOMU" iou_thr: 0.45 max_nms_num: 4', "", 2),
            ('nms_type: "IOFU" iou_thr: 0.45', "", 2),
            ("iou_thr: 0.9 max_post_nms_num: 3", "", 1),
            ("fg_thr: 0.95", "", 2),  # no box
        )
    ),
    *(
        Case(
            f'type: "ScaleRoute" scale_route_param {{ {params} }}',
            [(9, 5), (9, 4, 1, 1), (9,)],
            [(12, 5), (12, 3, 2, 1), (12, 1)],
            fills=[rois(2, 60, 70)],
            tops=3,
            **NO_GRADIENT,
        )
        for params in (
            "low_scale: 12",
            "high_scale: 25",
            "low_scale: 10 high_scale: 30",
            "low_scale: 300",
            "",
        )
    ),
    *(
        Case(
            f'type: "HardMining" hard_mining_param {{ {params} }}',
            [(11,), (11, 5), (11, 4, 1, 1), (11,)],
            [(7, 1), (7, 5), (7, 3, 2, 1), (7, 1)],
            fills=[normal, rois(2, 60, 70)],
            tops=3,
            **NO_GRADIENT,
        )
        for params in ("num_image: 2 num_roi_per_image: 3", "num_image: 3 num_roi_per_image: 2", "")
    ),
    *(
        Case(
            f'type: "FrcnnOutput" frcnn_output_param {{ {params} }} bbox_reg_param {{ {MEANS} {STDS} {more} }}',
            [(11, 3), (11, columns), (11, width), (1, 2)],
            [(8, classes, 1, 1), (8, 8 if columns == 8 else 4 * classes), (8, width), (1, 2, 1, 1)],
            fills=[unit, small, rois_of_one(width), image_size],
            **NO_GRADIENT,
        )
        for params, more, columns, width, classes in (
            ("", "", 12, 5, 4),
            ("iou_thr: 0.2 max_det_num: 3", "cls_aware: false", 8, 6, 4),
            ('nms_type: "IOMU"', "", 12, 5, 2),
            ('nms_type: "IOFU" conf_thr: 0.4 max_det_num: 100', "", 12, 5, 2),
        )
    ),
    targets("batch_size: -1 iou_weighted: true fg_fraction: 0.4", REGRESSION),
    targets("batch_size: 40 fg_fraction: 0.5 fg_thr: 0.6 bg_thr_hg: 0.4 bg_thr_lw: 0.05", tops=6),
    targets(
        "batch_size: 40 fg_fraction: 0.6 pickup_discard: false append_gtbox: false fg_thr: 0.3 bg_thr_hg: 0.2 "
        "bg_thr_lw: 0.02"
    ),
    targets(
        "batch_size: 40 fg_fraction: 0.6 bbox_thr_lw: 0.4 bbox_thr_hg: 0.9 fg_thr: 0.3 bg_thr_hg: 0.2",
        f"bbox_reg_param {{ cls_aware: false {MEANS} {STDS} }}",
    ),
    targets("batch_size: 40 fg_fraction: 0.6 img_width: 70 img_height: 60", columns=7, tops=6),
    loss('sample_mode: "all" lambda: 0.7'),
    loss('sample_mode: "bootstrap" bg_multiple: 1 bg_threshold: 0.8', REGRESSION),
    loss("bg_multiple: 1 bg_threshold: 0.7 bb_smooth: false"),
    loss('sample_mode: "mixture" bg_threshold: 0.9 bg_multiple: 2 pos_neg_weighted: true iou_weighted: true'),
    loss('sample_mode: "bootstrap" objectness: true field_whr: 1.3 field_xyr: 3', "", classes=2),
    loss('sample_mode: "all"', "loss_param { ignore_label: 1 }"),
    group_loss("lambda: 0.7"),
    group_loss("field_whr: 1.3 field_xyr: 3 bg_threshold: 0.8 bg_multiple: 2 min_num_neg: 7", REGRESSION),
    group_loss('batch_size: 9 bg_multiple: 2 bbox_loss_type: "Euclidean_L2" pos_neg_weighted: true'),
    group_loss('objectness: true neg_ranking_type: "conf_prob" bg_threshold: 0.9', classes=2),
    group_loss("bg_multiple: 100", "loss_param { ignore_label: 2 }"),
    *(
        Case(
            f'type: "DetectionAccuracy" detection_accuracy_param {{ cls_num: {classes} field_w: 20 field_h: 28 '
            f"downsample_rate: 8 {params} }} {more}",
            [(2, classes + 4, 5, 6), (2, 6, 5, 6)],
            [(3, classes + 4, 7, 4), (3, 6, 7, 4)],
            fills=[normal, maps_of_truth(3, 8)],
            tops=tops,
            **NO_GRADIENT,
        )
        for params, more, classes, tops in (
            ("", REGRESSION, 3, 2),
            (
                "top_k: 2 field_whr: 1.5 field_xyr: 7 bg_threshold: 0.3",
                "loss_param { ignore_label: 1 }",
                3,
                2,
            ),
            ("objectness: true", "", 2, 1),
        )
    ),
    *(
        Case(
            f'type: "DetectionGroupAccuracy" detection_group_accuracy_param {{ cls_num: {classes} {FIELDS} stride: 8 '
            f"{params} }} {more}",
            [(4, classes, 5, 6), (4, 4, 5, 6), (4, 6, 5, 6)],
            [(6, classes, 7, 4), (6, 4, 7, 4), (6, 6, 7, 4)],
            fills=[normal, normal, maps_of_truth(3, 8)],
            tops=tops,
            **NO_GRADIENT,
        )
        for params, more, classes, tops in (
            ("", REGRESSION, 3, 2),
            ("field_whr: 1.5 field_xyr: 7 bg_threshold: 0.3", "loss_param { ignore_label: 1 }", 3, 2),
            ("objectness: true", "", 2, 1),
        )
    ),
    Case(  # YOLO's, by its fields
        'type: "DetectionLoss" detection_loss_param { side: 3 num_class: 4 num_object: 3 object_scale: 2 '
        "noobject_scale: 0.7 class_scale: 0.3 coord_scale: 1.5 constriant: true sqrt: false }",
        [(2, 171), (2, 63)],
        [(3, 171), (3, 63)],
        fills=[unit, gridded(4, 3)],
        gradient=False,
        note="the gradient is not that of the loss, as in the original; layers/yolo/test_losses.py",
    ),
]
