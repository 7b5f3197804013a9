"""BoxOutput, BoxGroupOutput, DecodeBBox, ScaleRoute, HardMining, BboxAccuracy: numbers by hand, and wrong params."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST
from layers.cases.mscnn import CASES
from layers.harness import Runner

F = np.float32


def test_a_box_that_begins_outside_is_moved_in():
    """The place (4, 4) of a field 20 x 10: from -6 to 14; the original keeps its width of 20, cut at the image."""
    maps = np.array([0, 3, 0, 0, 0, 0], F).reshape(1, 6, 1, 1) * np.ones((1, 1, 1, 4), F)
    maps[0, 1, 0, 1:] = -9
    text = "field_w: 20 field_h: 10 downsample_rate: 8 min_size: 3"
    tops = Runner(f'type: "BoxOutput" box_output_param {{ {text} }}', [maps], tops=2).forward()
    assert tops[1].ravel().tolist() == [0, 0, 0, 20, 8, 3]


def test_the_nearest_level():
    """Without a RoI of the level, the one whose scale is nearest in octaves to the root of 30 x 120, 60."""
    rois = np.array([[0, 0, 0, 24, 24], [0, 0, 0, 139, 139]], F)  # 1.26 and 1.22 octaves off
    runner = Runner('type: "ScaleRoute" scale_route_param { low_scale: 30 high_scale: 120 }', [rois])
    np.testing.assert_array_equal(runner.forward()[0][..., 0, 0], rois[1:])


def test_hard_mining_fills_up_from_other_images():
    rois = np.array([[0, 1, 1, 2, 2]] * 4 + [[1, 3, 3, 4, 4]], F)
    rois[:, 3] += np.arange(5)
    text = 'type: "HardMining" hard_mining_param { num_image: 2 num_roi_per_image: 2 }'
    (top,) = Runner(text, [np.array([1, 4, 2, 3, 0], F), rois]).forward()
    np.testing.assert_array_equal(top[..., 0, 0], rois[1:])


def test_decoded_boxes_that_are_left_out():
    rois = np.array([[0, 10, 10, 19, 19], [1, 5, 5, 14, 24], [0, 1, 1, 4, 4]], F)
    offsets = np.zeros((3, 8), F)
    offsets[0, 4:], offsets[2, 6] = [0.5, 0, np.log(2), 0], -3
    truth = np.array([[1, 0, 0, 1, 1, 0.5], [1, 0, 0, 1, 1, 0.96], [0] * 6], F)
    (top,) = Runner('type: "DecodeBBox"', [offsets, rois, truth]).forward()
    np.testing.assert_allclose(top[..., 0, 0], [[0, 10, 10, 29, 19]], rtol=1e-6)
    (top,) = Runner('type: "DecodeBBox"', [offsets, rois], phase=TEST).forward()
    np.testing.assert_allclose(top[:2, :, 0, 0], [[0, 10, 10, 29, 19], rois[1]], rtol=1e-6)
    truth[0, 5] = 0.97
    with pytest.raises(LayerError, match="no box is left"):
        Runner('type: "DecodeBBox"', [offsets, rois, truth]).forward()


@pytest.mark.parametrize(
    ("type", "old", "new", "message"),
    [
        (
            "BoxOutput",
            "field_w: 20",
            "",
            "there are 2 bottoms, and 1 field_w, 2 field_h and 2 downsample_rate",
        ),
        (
            "BoxOutput",
            "downsample_rate: 8",
            'downsample_rate: 8 nms_type: "MAX"',
            "nms_type is 'MAX'; expected one of IOU",
        ),
        ("BoxGroupOutput", "stride: 8", "stride: 0", "0 pixels apart"),
        ("BoxGroupOutput", "field_w: 20", "", "give as many of both"),
        (
            "BoxGroupOutput",
            "stride: 8 }",
            "stride: 8 } box_group_param { }",
            "4 bottoms and 3 box_group_param",
        ),
        (
            "BoxGroupOutput",
            "stride: 16",
            "stride: 16 field_w: 9 field_h: 9",
            "2 images with 2 fields need 4 rows",
        ),
        (
            "ScaleRoute",
            "low_scale: 12",
            "low_scale: 0",
            "low_scale is 0 and high_scale 0; expected numbers above 0",
        ),
        ("ScaleRoute", "low_scale: 12", "low_scale: 9 high_scale: 8", "the first not above the second"),
        ("HardMining", "num_image: 2", "num_image: 1", "RoI 0 is of image 1; num_image is 1"),
        ("HardMining", "num_image: 2", "num_image: 0", "must be above 0"),
        ("BboxAccuracy", "bbox_std: 0.6", "bbox_std: 0.6 cls_aware: false", "a row has 12 offsets, not 8"),
    ],
)
def test_errors(type, old, new, message):
    case = next(case for case in CASES if case.type == type)
    assert old in case.layer
    with pytest.raises(LayerError, match=message):
        Runner(case.layer.replace(old, new), case.bottoms(np.random.RandomState(1)), tops=case.tops).forward()


def test_shapes_that_do_not_agree():
    rois = np.zeros((3, 5), F)
    for text, bottoms, tops, message in (
        (
            'type: "ScaleRoute"',
            [rois, np.zeros((2, 4))],
            2,
            r"bottom\[1\] has the shape \(2, 4\); expected 3 rows",
        ),
        ('type: "ScaleRoute"', [rois[:, :4]], 1, r"bottom\[0\] has the shape \(3, 4\); expected \(3, 5\)"),
        (
            'type: "ScaleRoute" scale_route_param { low_scale: 9 }',
            [rois - np.arange(5)],
            1,
            "every RoI ends before it starts",
        ),
        ('type: "HardMining"', [np.zeros((3, 2)), rois], 1, r"bottom\[0\] has the shape \(3, 2\)"),
        ('type: "HardMining"', [np.zeros(3), rois], 2, "there are 2 bottoms and 2 tops; it needs 1"),
        ('type: "DecodeBBox"', [np.zeros((3, 12)), rois], 1, r"\(3, 12\); expected \(3, 8\)"),
        (
            'type: "BoxOutput" box_output_param { field_w: 9 field_h: 9 downsample_rate: 8 }',
            [np.zeros((2, 5, 3, 4))],
            1,
            "the scores of two classes or more",
        ),
        (
            'type: "BboxAccuracy"',
            [np.zeros((3, 8)), rois, np.ones((3, 6)) * [2, 1, 1, 1, 1, 0]],
            1,
            "a matched box has class 2; bottom.0. has offsets of classes 0 to 1",
        ),
    ):
        with pytest.raises(LayerError, match=message):
            Runner(text, bottoms, tops=tops).forward()
