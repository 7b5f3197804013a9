"""YOLO's layers."""

from __future__ import annotations

import numpy as np

from layers.harness import Case, Fill, normal, objects, unit

ANCHORS = "biases: 1.2 biases: 0.8 biases: 2.5 biases: 1.6 biases: 0.7 biases: 3.1"
PIXELS = "biases: 19 biases: 12 biases: 40 biases: 25 biases: 11 biases: 50 biases: 30 biases: 33"
NOT_ITS_LOSS = (
    "the gradient is not that of the loss, as in the original; compared in layers/yolo/test_losses.py"
)


def centred(classes: int) -> Fill:
    """N x 1 x T x 5: class, x, y, w, h; the last row of each image, and one more of the first, are zeros."""

    def fill(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
        values = rng.uniform(0.15, 0.6, shape)
        values[..., 0] = rng.randint(0, classes, shape[:-1])
        values[:, :, -1] = values[0, :, -2] = 0
        return values

    return fill


def gridded(classes: int, side: int) -> Fill:
    """N x 7 S S: at about half of the cells, and at two of each image in any case, an object of the first version."""

    def fill(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
        cells, values = side**2, np.zeros(shape)
        values[:, :cells] = rng.randint(0, 2, (shape[0], cells))
        values[:, cells : 2 * cells] = rng.randint(0, 2, (shape[0], cells))
        values[:, cells + 1 : cells + 3] = 1
        values[:, 2 * cells : 3 * cells] = rng.randint(0, classes, (shape[0], cells))
        values[:, 3 * cells :] = rng.uniform(0.1, 0.8, (shape[0], 4 * cells))
        return values

    return fill


CASES = [
    *(
        Case(
            f'type: "YoloV1Loss" detection_loss_param {{ side: 3 num_class: 4 num_object: 3 {params} }}',
            [(2, 171), (2, 63)],
            [(3, 171), (3, 63)],
            fills=[unit, gridded(4, 3)],
            gradient=False,
            note=NOT_ITS_LOSS,
        )
        for params in (
            "",
            "sqrt: false constriant: true",
            "object_scale: 2 noobject_scale: 0.7 class_scale: 0.3 coord_scale: 1.5 constriant: true",
        )
    ),
    *(
        Case(
            f'type: "RegionLoss" region_loss_param {{ num: 3 num_class: 4 {ANCHORS} {params} }}',
            [(2, 27, 5, 5), (2, 1, 6, 5)],
            [(4, 27, 3, 3), (4, 1, 7, 5)],
            fills=[normal, centred(4)],
            gradient=False,
            note=NOT_ITS_LOSS,
        )
        for params in (
            "",
            "rescore: 0 bias_match: 0 object_scale: 2 class_scale: 0.5 noobject_scale: 0.7 coord_scale: 3 thresh: 0.3",
        )
    ),
    Case(
        f'type: "RegionLoss" region_loss_param {{ num: 3 num_class: 4 object_scale: 2 {ANCHORS} }}',
        [(2, 27, 5, 5), (1, 1, 6, 8)],
        [(3, 27, 4, 4), (1, 1, 9, 8)],
        fills=[normal, objects(2, 5)],
        gradient=False,
        note=NOT_ITS_LOSS,
    ),
    *(
        Case(
            'type: "GaussianYolov3" yolov3_param { num: 3 num_class: 4 mask: 1 mask: 2 mask: 3 anchors_scale: 16 '
            f"{PIXELS} {params} }}",
            [(2, 39, 5, 4), (2, 1, 7, 5)],
            [(3, 39, 4, 6), (3, 1, 6, 5)],
            fills=[normal, centred(4)],
            gradient=False,
            note=NOT_ITS_LOSS,
        )
        for params in (
            "",
            "coord_scale: 2 class_scale: 0.5 thresh: 0.4 iou_thresh: 0.2 iou_normalizer: 0.6",
            "use_logic_gradient: true object_scale: 3 use_focal_loss: true iou_thresh: 1",
            "max_delta: 0.05 accumulate: false iou_thresh: 0.1",
        )
    ),
    *(
        Case(
            f'type: "Yolov3" yolov3_param {{ num: 3 num_class: 4 mask: 1 mask: 2 mask: 3 anchors_scale: 16 {PIXELS} '
            f"{params} }}",
            [(2, 27, 5, 4), (2, 1, 7, 5)],
            [(3, 27, 4, 6), (3, 1, 6, 5)],
            fills=[normal, centred(4)],
            gradient=False,
            note=NOT_ITS_LOSS,
        )
        for params in (
            "",
            "coord_scale: 2 class_scale: 0.5 thresh: 0.4 label_smooth_eps: 0 iou_thresh: 0.3",
            "use_logic_gradient: true object_scale: 3 use_focal_loss: true iou_loss: IOU iou_thresh: 1",
            "iou_loss: GIOU iou_normalizer: 0.6 max_delta: 0.05 iou_thresh: 0.2",
            "iou_loss: DIOU accumulate: false iou_thresh: 0.1",
            "iou_loss: CIOU use_logic_gradient: true",
        )
    ),
    *(
        Case(
            f'type: "YoloDetectionOutput" yolo_detection_output_param {{ num_classes: 4 num_box: 3 {ANCHORS} '
            f"{params} }}",
            shapes,
            other_shapes,
            gradient=False,
            note="a choice of boxes",
        )
        for params, shapes, other_shapes in (
            ("", [(2, 27, 5, 5)], [(3, 27, 4, 4)]),
            ("confidence_threshold: 0.2 nms_threshold: 0.2", [(2, 27, 5, 5), (2, 27, 3, 3)], ()),
            ("confidence_threshold: 1", [(2, 27, 2, 2)], ()),
        )
    ),
    *(
        Case(
            f'type: "Yolov3DetectionOutput" yolov3_detection_output_param {{ num_classes: 3 num_box: 2 {PIXELS} '
            f"{params} }}",
            shapes,
            other_shapes,
            gradient=False,
            note="a choice of boxes",
        )
        for params, shapes, other_shapes in (
            (
                "mask: 2 mask: 3 mask: 0 mask: 1 anchors_scale: 32 anchors_scale: 16",
                [(2, 16, 3, 2), (2, 16, 6, 4)],
                [(3, 16, 2, 2), (3, 16, 4, 5)],
            ),
            (
                "mask_group_num: 1 mask: 1 mask: 3 anchors_scale: 8 confidence_threshold: 0.3 nms_threshold: 0.2 "
                "gaussian_box: true",
                [(2, 24, 5, 4)],
                (),
            ),
            (
                "mask_group_num: 1 mask: 1 mask: 3 anchors_scale: 8 confidence_threshold: 1",
                [(2, 16, 3, 2)],
                (),
            ),
        )
    ),
    Case(
        'type: "YoloSeg" yolo_seg_param { object_scale: 0.5 }',
        [(2, 3, 4, 5), (2, 3, 4, 5)],
        [(3, 1, 6, 2), (3, 1, 6, 2)],
        fills=[normal, unit],
        gradient=False,
        note=NOT_ITS_LOSS,
    ),
    Case(
        'type: "YoloSeg"',
        [(2, 3, 4, 5), (2, 3, 4, 5), (2, 3)],
        [(3, 2, 6, 4), (3, 2, 6, 4), (3, 2)],
        fills=[normal, unit, lambda rng, shape: rng.randint(1, 9, shape)],
        gradient=False,
        note=NOT_ITS_LOSS,
    ),
    *(
        Case(
            f'type: "SegmentationEvaluate" segmentation_evaluate_param {{ num_classes: 3 {params} }}',
            shapes,
            other_shapes,
            fills=[unit, unit],
            gradient=False,
            note="counts pixels",
        )
        for params, shapes, other_shapes in (
            ("threshold: 0.3", [(2, 3, 4, 5), (2, 3, 4, 5)], [(3, 2, 6, 4), (3, 2, 8, 5)]),
            ("", [(2, 3, 9, 8), (2, 3, 4, 5)], ()),
        )
    ),
    *(
        Case(
            f'type: "YoloV1EvalDetection" eval_detection_param {{ side: 3 num_class: 4 num_object: 3 {params} }}',
            [(2, 171), (2, 63)],
            [(3, 171), (3, 63)],
            fills=[unit, gridded(4, 3)],
            gradient=False,
            note="a choice of boxes",
        )
        for params in (
            "",
            "nms: 0.4 threshold: 0.2",
            "nms: 0.6 score_type: OBJ threshold: 0.1 constriant: false",
            "threshold: 0.1 score_type: PROB sqrt: false",
        )
    ),
    *(
        Case(
            f'type: "EvalDetection" eval_detection_param {{ num_class: 4 num_object: 3 {ANCHORS} {params} }}',
            [(2, 27, 5, 5), (1, 1, 7, 8)],
            [(3, 27, 4, 4), (1, 1, 9, 8)],
            fills=[normal, objects(2, 5)],
            gradient=False,
            note="a choice of boxes",
        )
        for params in (
            "nms: 0.45 threshold: 0.2",
            "nms: 0.3 score_type: OBJ threshold: 0.1",
            "nms: 0.3 score_type: PROB",
            "",
        )
    ),
    Case(
        'type: "AssistedExcitation"',
        [(2, 3, 7, 6), (2, 1, 4, 5), (2, 7, 6)],
        [(4, 2, 5, 8), (4, 1, 3, 5), (4, 5, 8)],
        fills=[normal, centred(4)],
        gradient=False,
        note="the third bottom gets no gradient, as in the original",
    ),
]
