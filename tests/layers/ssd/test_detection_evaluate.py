"""DetectionEvaluate where images come from a list, where nothing is found, and on params and rows that do not fit.

A recording of the original is among those of test_recordings.py, plain loops are in naive/detection.py.
"""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

FOUND = [[0, 1, 0.9, 0, 0, 0.5, 0.5], [1, 1, 0.8, 0.5, 0.5, 1, 1]]
OBJECTS = [[0, 1, 0, 0, 0, 0.5, 0.5, 0], [1, 1, 0, 0.5, 0.5, 1, 1, 1]]


def evaluate(found=FOUND, objects=OBJECTS, params: str = "num_classes: 3") -> Runner:
    bottoms = [np.array([[rows]], np.float32) for rows in (found, objects)]
    return Runner(f'type: "DetectionEvaluate" detection_evaluate_param {{ {params} }}', bottoms)


def test_rows_of_no_detection_are_left_out():
    (top,) = evaluate([[0, -1] + [-1] * 5, [1, -1] + [-1] * 5]).forward()
    assert top.reshape(-1, 5).tolist() == [[-1, 1, 2, -1, -1], [-1, 2, 0, -1, -1]]


def test_an_image_without_objects_has_only_wrong_detections():
    (top,) = evaluate(objects=[[-1] * 8]).forward()
    assert top[0, 0, 2:].tolist() == [[0, 1, np.float32(0.9), 0, 1], [1, 1, np.float32(0.8), 0, 1]]


def test_who_finds_a_difficult_object_is_neither_right_nor_wrong():
    (top,) = evaluate(params="num_classes: 3 evaluate_difficult_gt: false").forward()
    assert top[0, 0, 0].tolist() == [-1, 1, 1, -1, -1]
    assert top[0, 0, 2:, 3:].tolist() == [[1, 0], [0, 0]]


def test_sizes_come_in_the_order_of_the_images_of_all_batches(tmp_path):
    """In an image of 2 x 2 the pixel more on each side makes the overlap larger than in a large one."""
    (tmp_path / "sizes").write_text("a 1000 1000\nb 2 2\nc 1000 1000\n")
    params = f'num_classes: 2 overlap_threshold: 0.5 name_size_file: "{tmp_path}/sizes"'
    found = [[n, 1, 0.9, 0, 0, 0.5, 0.5] for n in range(2)]
    things = [[n, 1, 0, 0, 0, 0.8, 0.8, 0] for n in range(2)]
    runner = evaluate(found, things, params)
    right = [runner.forward()[0][0, 0, 1:, 3].tolist() for _ in range(3)]
    assert right == [[0, 1], [0, 0], [1, 0]]
    again = evaluate(found, things, params)
    again.layer.set_state(runner.layer.get_state())
    again.layer.forward(again.bottom, again.top)
    runner.layer.forward(runner.bottom, runner.top)
    np.testing.assert_array_equal(again.top[0].data, runner.top[0].data)


def test_boxes_that_are_not_finite_are_wrong():
    (top,) = evaluate([[0, 1, 0.9, -np.inf, 0, np.inf, 1], [0, 1, 0.8, np.nan, 0, 1, 1]]).forward()
    assert top[0, 0, 2:, 3:].tolist() == [[0, 1], [0, 1]]


def test_where_the_sizes_are_not_there_boxes_are_compared_in_parts():
    with pytest.warns(UserWarning, match="there is no name_size_file 'nowhere'; boxes are compared in parts"):
        (top,) = evaluate(params='num_classes: 3 name_size_file: "nowhere"').forward()
    np.testing.assert_array_equal(top, evaluate().forward()[0])


@pytest.mark.parametrize(
    "kwargs, message",
    [
        ({"params": ""}, "names no num_classes"),
        ({"params": "num_classes: 3 overlap_threshold: 0"}, "overlap_threshold is 0; it must be above 0"),
        ({"params": "num_classes: 3 resize_param { height: 2 }"}, "resize_param needs a height and a width"),
        ({"params": 'num_classes: 3 name_size_file: "."'}, "cannot read the name_size_file"),
        ({"found": [[0] * 6]}, r"bottom\[0\] has the shape \(1, 1, 1, 6\); expected 1 x 1 x rows x 7"),
        ({"objects": [[0] * 7]}, r"bottom\[1\] has the shape \(1, 1, 1, 7\); expected 1 x 1 x rows x 8"),
        ({"found": [[0] * 7]}, "the rows of 7 numbers have the background, 0"),
        ({"objects": [[0] * 8]}, "the rows of 8 numbers have the background, 0"),
        (
            {"found": [[np.nan, 1, 1, 0, 0, 1, 1]]},
            "images and classes in the rows of 7 numbers are not finite",
        ),
    ],
)
def test_what_does_not_fit(kwargs, message):
    with pytest.raises(LayerError, match=message):
        evaluate(**kwargs).forward()
