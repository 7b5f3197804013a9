"""The NMS kernels against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.layers.kernels.nms import nms, nms_groups, nms_of_parts


def naive(boxes, threshold) -> list[bool]:
    keep: list[int] = []
    for j, (x1, y1, x2, y2) in enumerate(boxes):
        ious = []
        for i in keep:
            w = max(min(x2, boxes[i, 2]) - max(x1, boxes[i, 0]) + 1, 0)
            h = max(min(y2, boxes[i, 3]) - max(y1, boxes[i, 1]) + 1, 0)
            other = (boxes[i, 2] - boxes[i, 0] + 1) * (boxes[i, 3] - boxes[i, 1] + 1)
            ious.append(w * h / ((x2 - x1 + 1) * (y2 - y1 + 1) + other - w * h))
        if all(iou <= threshold for iou in ious):
            keep.append(j)
    return [j in keep for j in range(len(boxes))]


def random_boxes(count: int, seed: int) -> np.ndarray:
    corners = np.sort(np.random.RandomState(seed).randint(0, 30, (count, 2, 2)), axis=1)
    return corners.reshape(count, 4).astype(np.float32)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_against_plain_loops(threshold):
    boxes = random_boxes(300, seed=1)
    keep = np.zeros(300, bool)
    nms(boxes, np.float32(threshold), keep)
    assert keep.tolist() == naive(boxes, np.float32(threshold))
    assert 10 < keep.sum() < 290


def test_an_overlap_just_as_large_as_the_threshold_stays():
    boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 4], [0, 0, 9, 5]], np.float32)  # IoU 0.5 and 0.6 with the first
    keep = np.zeros(3, bool)
    nms(boxes, np.float32(0.5), keep)
    assert keep.tolist() == [True, True, False]


def test_groups_do_not_see_each_other():
    boxes = np.concatenate([random_boxes(40, 2), random_boxes(1, 3), random_boxes(70, 4)])
    keep = np.zeros(111, bool)
    nms_groups(boxes, np.array([0, 40, 41]), np.float32(0.3), keep)
    parts = boxes[:40], boxes[40:41], boxes[41:]
    assert keep.tolist() == [stays for part in parts for stays in naive(part, np.float32(0.3))]


def test_no_boxes():
    nms(np.zeros((0, 4), np.float32), np.float32(0.5), np.zeros(0, bool))


def test_of_parts_the_threshold_shrinks_with_each_box_that_stays():
    # IoU with the first: 0.5, 0.75 and, of one that is away, 0
    boxes = np.array(
        [[0, 0, 1, 1], [0, 0, 1, 0.5], [0, 0, 1, 0.75], [2, 2, 3, 3], [2, 2, 3, 2.75]], np.float32
    )
    for threshold, eta, want in (
        (0.75, 1, [1, 1, 1, 1, 1]),
        (0.5, 1, [1, 1, 0, 1, 0]),
        (0.49, 1, [1, 0, 0, 1, 0]),
        (
            0.9,
            0.8,
            [1, 1, 0, 1, 0],
        ),  # 0.72 after the first, 0.576 after the second, then 0.461: no longer shrinks
        (0.5, 0.5, [1, 1, 0, 1, 0]),
    ):
        keep = np.zeros(5, bool)
        nms_of_parts(boxes, np.float32(threshold), np.float32(eta), keep)
        assert keep.tolist() == [bool(stays) for stays in want], threshold
