"""SubCNN's layers: gradients that are not the true ones, errors. Their numbers: tests/layers/naive."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

FEATURE = 'type: "FeatureExtrapolating" feature_extrapolating_param {{ {} }}'
ROIS = 'type: "ROIGenerating" roi_generating_param {{ {} }}'
PARAMETERS = np.array([2, 1, 1, 2, 0, 1, 2, 3.0])


def test_a_gradient_far_from_its_place_is_left_out():
    """At 4 times the base, place 5 of the base is read from 17 to 23, and gets a gradient from 18 to 22."""
    text = FEATURE.format('num_scale_base: 2 num_per_octave: 7 scale_string: "1 8"')
    runner = Runner(text, [np.zeros((2, 1, 1, 32))])
    (top,) = runner.forward()
    scale = 3  # of eight maps: 4
    seed = np.zeros(top.shape)
    seed[scale, 0, 0] = 1
    (got,) = runner.backward([seed])
    assert got[0, 0, 0, 5] == pytest.approx(sum(1 - abs(w / 4 - 5) for w in range(18, 23)))
    assert not got[1].any()


def test_a_net_may_be_built_for_one_map():
    runner = Runner(FEATURE.format('num_scale_base: 2 scale_string: "1 2"'), [np.zeros((1, 3, 4, 5))])
    assert runner.top[0].shape == (0, 3, 4, 5)
    with pytest.raises(
        LayerError, match=r"bottom\[0\] has 1 maps; expected 2 an image, .* input to 2 \* images"
    ):
        runner.forward()


@pytest.mark.parametrize(
    "params",
    ["num_scale_base: 3", 'num_scale_base: 1 scale_string: "a"', 'num_scale_base: 1 scale_string: "0"',
     "num_scale_base: 1 num_per_octave: 0"],
)  # fmt: skip
def test_scales_that_are_none(params):
    with pytest.raises(LayerError, match="expected numbers from 1, and so many scales above 0"):
        Runner(FEATURE.format(params), [np.zeros((6, 1, 2, 3))])


def test_shapes():
    with pytest.raises(LayerError, match="expected maps N x C x H x W"):
        Runner(FEATURE.format('num_scale_base: 1 scale_string: "2"'), [np.zeros((6, 4))])
    with pytest.raises(LayerError, match="with a background and classes"):
        Runner('type: "HeatmapGenerating"', [np.zeros((2, 1, 3, 4))])


def rois(boxes=None, values=PARAMETERS, params="flag_proposal_only: 1 batch_size: 4", tops=5):
    boxes = np.zeros((1, 18)) if boxes is None else boxes
    return Runner(ROIS.format(params), [np.zeros((2, 1, 3, 4)), boxes, values], tops=tops)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"tops": 7}, "there are 7 tops, .* there are 5 tops"),
        ({"params": "flag_proposal_only: 1 batch_size: 0"}, "batch_size is 0"),
        ({"params": "flag_proposal_only: 1 fg_fraction: 2"}, "fg_fraction is 2; it must be from 0 to 1"),
        ({"boxes": np.zeros((2, 17))}, r"bottom\[1\] has the shape \(2, 17\); expected G x 18"),
        (
            {"boxes": np.full((1, 18), 4.0)},
            "box 0 is at x 4, y 4 of map 4 and of class 4; the heatmaps are 2 of 3 x 4",
        ),
        ({"boxes": np.full((1, 18), np.nan)}, "box 0 is at x nan"),
        ({"values": PARAMETERS[:-1]}, r"bottom\[2\] has 7 numbers, \[2.0, 1.0\] first"),
        ({"values": np.full(8, np.inf)}, r"\[inf, inf\] first"),
        ({"values": np.zeros(1)}, r"bottom\[2\] has 1 numbers"),
        ({"values": np.array([3, 1, *range(8)])}, r"bottom\[2\] has 3 scales .* bottom\[0\] 2 heatmaps"),
        ({"values": np.array([2, 1, 1, 2, 0, 2, 2, 3])}, r"mapped to \[0, 2\]"),
        (
            {"params": "flag_proposal_only: 1 batch_size: 30"},
            "29 RoIs are wanted of image 0, .* have 24 places",
        ),
    ],
)
def test_what_does_not_fit(given, message):
    with pytest.raises(LayerError, match=message):
        rois(**given).forward()
