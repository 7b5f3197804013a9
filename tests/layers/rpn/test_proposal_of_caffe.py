"""Proposal: errors; its numbers are compared with plain loops in tests/layers/naive."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

TEXT = 'type: "Proposal" proposal_param {{ {} }}'
GOOD = "ratio: 1 ratio: 2 scale: 1"
SHAPES = [(2, 4, 3, 5), (2, 8, 3, 5), (1, 4)]


def inputs():
    return [np.full(SHAPES[0], 0.5), np.zeros(SHAPES[1]), np.array([[40, 60, 1, 1]])]


def test_as_many_rois_as_there_may_be_before_the_first_forward():
    runner = Runner(TEXT.format(GOOD + " post_nms_topn: 7"), inputs(), tops=2)
    assert [top.shape for top in runner.top] == [(14, 5), (14,)]


def test_scales_of_height_and_width():
    heights = inputs()
    heights[2] = np.array([[40, 60, 100, 1]])
    rois = Runner(TEXT.format("ratio: 1 ratio: 2 scale: 1 min_size: 1"), heights, tops=2)
    assert not rois.forward()[1].any()  # no box is 100 pixels high


@pytest.mark.parametrize(
    "params, index, shape, message",
    [
        ("ratio: 1", 0, SHAPES[0], "there are 1 ratios and 0 scales; expected one or more"),
        ("ratio: 0 scale: 1", 0, SHAPES[0], "above 0"),
        (GOOD + " pre_nms_topn: 0", 0, SHAPES[0], "pre_nms_topn and post_nms_topn above 0"),
        (
            GOOD,
            0,
            (2, 6, 3, 5),
            r"bottom\[0\] has the shape \(2, 6, 3, 5\); .* for 2 anchors, \(images, 4, h",
        ),
        (GOOD, 1, (2, 8, 5, 3), r"bottom\[1\] has the shape \(2, 8, 5, 3\)"),
        (GOOD, 2, (3, 4), r"sizes of the images have the shape \(3, 4\); expected \(1, 3\) or \(2, 3\)"),
        (GOOD, 2, (1, 2), r"sizes of the images have the shape \(1, 2\)"),
    ],
)
def test_what_does_not_fit(params, index, shape, message):
    bottoms = inputs()
    bottoms[index] = np.zeros(shape)
    with pytest.raises(LayerError, match=message):
        Runner(TEXT.format(params), bottoms)


def test_not_finite():
    bottoms = inputs()
    bottoms[0][1, 2, 1, 3] = np.nan
    with pytest.raises(LayerError, match=r"bottom\[0\] is not finite"):
        Runner(TEXT.format(GOOD), bottoms).forward()
