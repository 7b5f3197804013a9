"""DetectNet's lists of boxes, and how many are right: against plain loops, and what is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

CLUSTERING, MEAN_AP = "caffe.layers.detectnet.clustering", "caffe.layers.detectnet.mean_ap"
STRIDE, ROWS, COLUMNS = 8, 4, 5


def run(module: str, name: str, param_str: str, bottoms, tops: int = 1) -> list[np.ndarray]:
    python = f'module: "{module}" layer: "{name}" param_str: "{param_str}"'
    return Runner(f'type: "Python" python_param {{ {python} }}', bottoms, tops=tops).forward()


def grid(objects: dict) -> tuple[np.ndarray, np.ndarray]:
    """Coverage, 2 x 3 x 4 x 6, and boxes: of each (image, class, box) the cells that the box covers, and how far."""
    covered, boxes = (
        np.zeros((2, 3, ROWS, COLUMNS + 1), np.float32),
        np.zeros((2, 4, ROWS, COLUMNS + 1), np.float32),
    )
    for (image, kind, box), cells in objects.items():
        for row, column, value in cells:
            covered[image, kind, row, column] = value
            corner = STRIDE * np.array([column, row, column, row])
            boxes[image, :, row, column] = np.array(box) - corner
    return covered, boxes


def test_labels_are_listed_once():
    large, small, other = (3, 2, 20.25, 17.5), (2049, 0, 9, 30), (5, 6, 7, 9)
    objects = {
        (1, 2, large): [(0, 1, 1), (1, 1, 1), (1, 2, 0.5)],
        (1, 2, small): [(2, 0, 1), (3, 0, 0.1)],
        (0, 1, other): [(3, 4, 1)],
        (0, 0, (1, 1, 6, 6)): [(0, COLUMNS, 1)],  # outside the image
    }
    tops = run(CLUSTERING, "ClusterGroundtruth", "40,32,8,3", grid(objects), tops=3)
    assert [top.shape for top in tops] == [(2, 50, 5)] * 3
    np.testing.assert_array_equal(tops[0], 0)
    np.testing.assert_array_equal(tops[1][0, 0], [*other, 0])
    np.testing.assert_array_equal(tops[2][1, :2], [[*large, 0], [2048, 0, 9, 30, 0]])  # half precision
    assert np.count_nonzero(tops[1]) == 4 and np.count_nonzero(tops[2]) == 7


def test_detections_are_grouped():
    cells = [(0, 1, 0.7), (0, 2, 0.9), (1, 1, 0.7)]
    low = [(2, 3, 0.9), (3, 3, 0.9), (3, 4, 0.69)]  # no group of theirs is as high as min_height
    covered, boxes = grid({(1, 0, (4.4, 3, 30, 28)): cells, (1, 1, (4, 3, 30, 9)): low})
    boxes[1, 0, 0, 1] += 1  # the group's mean moves
    top, *others = run(CLUSTERING, "ClusterDetections", "40,32,8,0.7,1,0.3,10,3", (covered, boxes), tops=3)
    chosen = [[5, 3, 25, 25], [4, 3, 26, 25], [4, 3, 26, 25]]
    ((x, y, w, h),), _ = cv2.groupRectangles(chosen, 1, 0.3)
    np.testing.assert_array_equal(top[1, 0], np.array([x, y, x + w, y + h, np.log(3)], np.float16))
    assert np.count_nonzero(top) == 5
    np.testing.assert_array_equal(others, 0)


def test_boxes_beyond_fifty_are_left_out_and_none_is_too_far():
    covered = np.ones((1, 1, 8, 9), np.float32)
    boxes = np.random.RandomState(1).uniform(-9, 9, (1, 4, 8, 9)).astype(np.float32)
    (top,) = run(CLUSTERING, "ClusterGroundtruth", "72,64,8", (covered, boxes))
    assert np.all(np.any(top[0], 1))
    boxes[0, :, 3, 3:] = np.array([np.inf, -np.inf, np.nan, 1e30])[:, None]
    (top,) = run(CLUSTERING, "ClusterDetections", "72,64,8,0.5,1,0.2,-99", (covered, boxes))
    assert top.shape == (1, 50, 5)


def test_what_is_right():
    truth, found = np.zeros((2, 50, 5)), np.zeros((2, 50, 5))
    truth[1, :3, :4] = [[0, 0, 10, 10], [20, 20, 40, 40], [50, 0, 60, 9]]
    found[1, 1:6] = [
        [21, 20, 40, 40, 3],  # the second label's
        [20, 20, 40, 40, 2],  # comes too late
        [0, 3, 10, 10, 1],  # 0.7 of the first label
        [50, 3, 60, 9, 1],  # 6 of 9
        [80, 80, 90, 90, 4],
    ]
    (top,) = run(MEAN_AP, "ScoreDetections", "", (truth, found))
    expected = [
        [21, 20, 40, 40, 1],
        [0, 3, 10, 10, 1],
        [20, 20, 40, 40, 2],
        [50, 3, 60, 9, 2],
        [80, 80, 90, 90, 2],
    ]
    np.testing.assert_array_equal(top[1, :6], [*expected, [50, 0, 60, 9, 3]])
    assert not top[0].any() and not top[1, 6:].any()
    for numbers, bottom in (([400 / 15, 40, 200 / 3], top), ([0, 0, 0], top * 0)):
        tops = run(MEAN_AP, "mAP", "40,32,8", (bottom,), tops=3)
        assert [one.shape for one in tops] == [(1,)] * 3
        np.testing.assert_allclose(np.concatenate(tops), numbers, rtol=1e-6)


COVERED, BOXES = np.zeros((1, 2, 4, 5)), np.zeros((1, 4, 4, 5))


@pytest.mark.parametrize(
    "module, name, param_str, bottoms, tops, told",
    [
        (CLUSTERING, "ClusterGroundtruth", "40,32", (COVERED, BOXES), 2, "expected numbers, with commas"),
        (CLUSTERING, "ClusterDetections", "40,32,8,2", (COVERED, BOXES), 2, "gridbox_rect_eps, min_height"),
        (CLUSTERING, "ClusterGroundtruth", "40,3x,8,2", (COVERED, BOXES), 2, "expected numbers, with commas"),
        (CLUSTERING, "ClusterGroundtruth", "40,32,0,2", (COVERED, BOXES), 2, "no cell of the grid"),
        (CLUSTERING, "ClusterGroundtruth", "40,7,8,2", (COVERED, BOXES), 2, "no cell of the grid"),
        (CLUSTERING, "ClusterGroundtruth", "40,32,8", (COVERED, BOXES), 2, "2 tops for 1 classes"),
        (CLUSTERING, "ClusterGroundtruth", "40,32,8,3", (COVERED, BOXES), 3, r"expected N x 3 x H x W"),
        (CLUSTERING, "ClusterGroundtruth", "40,32,8,2", (COVERED, COVERED), 2, r"N x 4 x H x W"),
        (MEAN_AP, "ScoreDetections", "", (np.zeros((1, 9, 5)), np.zeros((2, 9, 5))), 1, "N x boxes x 5"),
        (MEAN_AP, "mAP", "", (np.zeros((1, 9, 4)),), 3, "N x boxes x 5"),
    ],
)
def test_what_is_refused(module, name, param_str, bottoms, tops, told):
    with pytest.raises(LayerError, match=told):
        run(module, name, param_str, bottoms, tops)
