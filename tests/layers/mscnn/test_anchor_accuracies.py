"""DetectionAccuracy and DetectionGroupAccuracy: ties, nothing to count, and wrong params."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.cases.mscnn import CASES
from layers.harness import Runner


def accuracy(label, params="", scores=(1, 1, 0)):
    prediction = np.array([*scores, 0, 0, 0, 0], np.float32).reshape(1, 7, 1, 1)
    truth = np.array([label, 4, 4, 10, 20, 0.8], np.float32).reshape(1, 6, 1, 1)
    text = f"cls_num: 3 field_w: 10 field_h: 20 downsample_rate: 8 {params}"
    runner = Runner(
        f'type: "DetectionAccuracy" detection_accuracy_param {{ {text} }}', [prediction, truth], tops=2
    )
    return [top.ravel().tolist() for top in runner.forward()]


def test_of_equal_scores_the_last_class_is_the_better_one():
    assert accuracy(1) == [[1, 1], [1]]
    assert accuracy(1, scores=(0, 1, 1)) == [[0, 0], [1]]
    assert accuracy(1, "top_k: 2", scores=(0, 1, 1)) == [[1, 1], [1]]


def test_nothing_to_count():
    assert accuracy(0) == [[-1, -1], [-1]]  # its overlap is above bg_threshold
    assert accuracy(0, "bg_threshold: 0.9") == [[0, -1], [-1]]


@pytest.mark.parametrize(
    ("type", "old", "new", "message"),
    [
        ("DetectionAccuracy", "cls_num: 3", "cls_num: 3 coord_num: 5", "coord_num is 5; expected 4"),
        ("DetectionAccuracy", "cls_num: 3", "cls_num: 3 top_k: 4", "top_k is 4 and cls_num 3"),
        ("DetectionAccuracy", "cls_num: 3", "cls_num: 3 field_xyr: 0", "field_xyr is 0 and field_whr 2"),
        ("DetectionAccuracy", "cls_num: 3", "cls_num: 2", r"\(2, 7, 5, 6\); expected \(2, 6, 5, 6\)"),
        ("DetectionGroupAccuracy", "cls_num: 3", "cls_num: 3 objectness: true", "objectness needs cls_num 2"),
        (
            "DetectionGroupAccuracy",
            "stride: 8",
            "stride: 8 field_w: 9 field_h: 9",
            "has 4 rows; expected 3 for each",
        ),
        ("DetectionGroupAccuracy", "bbox_std: 0.5", "bbox_std: 0", "each must be above 0"),
        (
            "DetectionGroupAccuracy",
            "bbox_std: 0.5",
            "",
            "has 4 bbox_mean and 3 bbox_std; give four of each, or none",
        ),
    ],
)
def test_errors(type, old, new, message):
    case = next(case for case in CASES if case.type == type)
    assert old in case.layer
    with pytest.raises(LayerError, match=message):
        Runner(case.layer.replace(old, new), case.bottoms(np.random.RandomState(1)), tops=2)
