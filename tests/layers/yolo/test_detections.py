"""YOLO's detections and their scores: plain situations, and errors."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.cases.yolo import ANCHORS, PIXELS
from layers.harness import Runner

OUTPUT = 'type: "YoloDetectionOutput" yolo_detection_output_param { num_classes: 2 num_box: 1 biases: 1 biases: 2 %s }'
EVAL = (
    'type: "EvalDetection" eval_detection_param { num_class: 2 num_object: 1 biases: 1 biases: 1 nms: 0.5 }'
)


def predictions() -> np.ndarray:
    """One image of 2 x 2 cells: a sure box of class 1 in the cell of row 0 and column 1, nothing elsewhere."""
    x = np.zeros((1, 7, 2, 2), np.float32)
    x[0, 4] = -20
    x[0, 4, 0, 1] = x[0, 6, 0, 1] = 20
    return x


def test_one_box():
    (rows,) = Runner(OUTPUT % "", [predictions()]).forward()
    np.testing.assert_allclose(rows, [[[[0, 2, 1, 0.5, -0.25, 1, 0.75]]]], atol=1e-6)


def test_nothing_found():
    (rows,) = Runner(OUTPUT % "", [np.tile(predictions() * 0 - 20, (2, 1, 1, 1))]).forward()
    assert rows[0, 0].tolist() == [[0] + [-1] * 6, [1] + [-1] * 6]


def test_right_again_and_of_another_class():
    """The first box that fits an object is right, a second one wrong; so is one of a class without objects."""
    x = predictions()
    x[0, 4, 1, 0] = x[0, 5, 1, 0] = 20
    near = np.array([0, 2, 0, 0.5, 0, 1, 0.5, 0], np.float32).reshape(1, 1, 1, 8)
    (row,) = Runner(EVAL, [x, near, x]).forward()
    assert row[0, :2].tolist() == [0, 1]
    np.testing.assert_allclose(row[0, 2:].reshape(4, 4)[:2], [[0, 1, 0, 1], [1, 1, 1, 0]], atol=1e-6)


V1 = 'type: "EvalDetection" eval_detection_param { side: 2 num_class: 2 num_object: 1 threshold: 0.5 %s }'


def first_version() -> tuple[np.ndarray, np.ndarray]:
    """Cells with boxes of the cell's size: classes 0 1 0 1 with scores 0.9 to 0.6; objects of 0, 1 and 1, the second
    difficult, the third elsewhere in its cell."""
    x, labels = np.zeros((1, 7, 4)), np.zeros((1, 28))
    x[0, 0], x[0, 1] = [0.9, 0, 0.7, 0], [0, 0.8, 0, 0.6]
    x[0, 2], x[0, 3:5], x[0, 5:] = 1, 0.5, np.sqrt(0.5)
    labels[0, 1] = 1
    labels[0, 4:8], labels[0, 8:12] = [1, 1, 0, 1], [0, 1, -1, 1]
    labels[0, 12:].reshape(4, 4)[[0, 1, 3]] = [
        (0.25, 0.25, 0.5, 0.5),
        (0.75, 0.25, 0.5, 0.5),
        (0.95, 0.95, 0.1, 0.1),
    ]
    return x.reshape(1, 28), labels


def test_scores_of_the_first_version():
    x, labels = first_version()
    (row,) = Runner(V1 % "", [x, labels, x]).forward()
    assert row[0, :2].tolist() == [1, 1]  # of class 1 one object is difficult
    rows = [[0, 0.9, 1, 0], [0, 0.7, 0, 1], [1, 0.8, 0, 0], [1, 0.6, 0, 1]]
    np.testing.assert_allclose(row[0, 2:].reshape(4, 4), rows, rtol=1e-6)


def test_boxes_of_the_first_version_suppress_each_other_whatever_their_class():
    x, labels = first_version()
    x.reshape(1, 7, 4)[0, 3:5, 1] = -0.5, 0.5  # the second box lies on the first
    (row,) = Runner(V1 % "nms: 0.5", [x, labels]).forward()
    rows = [[0, 0.9, 1, 0], [0, 0.7, 0, 1], [1, 0.6, 0, 1], [0, 0, 0, 0]]
    np.testing.assert_allclose(row[0, 2:].reshape(4, 4), rows, rtol=1e-6)


@pytest.mark.parametrize("label", [0, 3])
def test_an_object_of_no_class(label):
    rows = np.array([0, label, 0, 0.5, 0, 1, 0.5, 0], np.float32).reshape(1, 1, 1, 8)
    with pytest.raises(LayerError, match=rf"an object has the class {label}; they are 1 to 2 \(num_class\)"):
        Runner(EVAL, [predictions(), rows]).forward()


@pytest.mark.parametrize(
    "layer, shapes, message",
    [
        ('type: "YoloDetectionOutput"', [(1, 125, 2, 2)], "needs num_classes, and two biases"),
        (OUTPUT % "", [(1, 7, 2, 3)], "expected N x 7 x S x S: num_box 1 times 5"),
        ('type: "Yolov3DetectionOutput"', [(1, 75, 2, 2)], "names no num_classes"),
        (
            'type: "Yolov3DetectionOutput" yolov3_detection_output_param { num_classes: 20 }',
            [(1, 75, 2, 2)],
            "there are 1 bottoms, mask_group_num is 2 and there are 0 of anchors_scale",
        ),
        (
            f'type: "Yolov3DetectionOutput" yolov3_detection_output_param {{ num_classes: 20 mask_group_num: 1 '
            f"anchors_scale: 8 mask: 0 mask: 1 mask: 4 {PIXELS} }}",
            [(1, 75, 2, 2)],
            "num_box is 3, mask .* for 1 bottoms, and the biases are those of 4 anchors",
        ),
        (
            f'type: "EvalDetection" eval_detection_param {{ num_object: 4 {ANCHORS} }}',
            [(1, 100, 3, 3), (1, 1, 1, 8)],
            r"there are 6 biases; 4 anchors \(num_object\) need two each",
        ),
        ('type: "EvalDetection" eval_detection_param { side: 0 }', [(1, 28), (1, 28)], "must be at least 1"),
        (
            V1 % "",
            [(1, 27), (1, 28)],
            r"bottom\[0\] has the shape \(1, 27\); expected 1 x 28, of 2 x 2 cells",
        ),
        (V1 % "", [(2, 28), (1, 28)], r"bottom\[1\] has the shape \(1, 28\); expected 2 x 28"),
        (EVAL, [(1, 7, 3, 2), (1, 1, 1, 8)], "expected N x 7 x S x S: num_object 1 times 5"),
        (EVAL, [(1, 7, 2, 2), (1, 1, 1, 5)], "the labels have the shape"),
        ('type: "SegmentationEvaluate"', [(1, 1, 2, 2)] * 2, "names no num_classes"),
        (
            'type: "SegmentationEvaluate" segmentation_evaluate_param { num_classes: 2 }',
            [(1, 2, 2, 2), (1, 1, 2, 2)],
            "expected two of N x C x H x W, with one C",
        ),
        ('type: "AssistedExcitation"', [(1, 2, 3, 3), (1, 1, 2, 5), (1, 3, 2)], "and N x H x W in the third"),
    ],
)
def test_what_does_not_fit(layer, shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(layer, [np.zeros(shape) for shape in shapes])


def test_excitation_fades_with_the_training():
    x, added = np.zeros((1, 1, 2, 2)), np.ones((1, 2, 2))
    rows = np.array([0, 0.25, 0.25, 0.4, 0.4]).reshape(1, 1, 1, 5)
    runner = Runner('type: "AssistedExcitation"', [x, rows, added])
    for progress, alpha in ((0, 1), (0.375, np.sqrt(0.5)), (0.75, 0), (1, 0)):
        runner.layer.progress = progress
        np.testing.assert_allclose(runner.forward()[0].ravel(), [alpha, 0, 0, 0], atol=1e-6)
