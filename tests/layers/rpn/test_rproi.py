"""RPROI: errors; its numbers are compared with plain loops in tests/layers/naive."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

TEXT = 'type: "RPROI" roi_pooling_param {{ pooled_h: 2 pooled_w: 2 }} region_proposal_param {{ {} }}'
GOOD = "anchor_ratio: 1 anchor_ratio: 2 anchor_scale: 1"
SHAPES = [(1, 4, 3, 5), (1, 8, 3, 5), (1, 2, 4, 6), (1, 3)]


@pytest.mark.parametrize(
    "params, index, shape, message",
    [
        ("anchor_scale: 1", 0, SHAPES[0], "there are 0 ratios and 1 scales of anchors"),
        (
            GOOD,
            0,
            (1, 6, 3, 5),
            r"bottom\[0\] has the shape \(1, 6, 3, 5\); expected, for 2 anchors",
        ),
        (GOOD, 1, (1, 8, 5, 3), r"bottom\[1\] has the shape \(1, 8, 5, 3\)"),
        (GOOD, 2, (1, 2, 4), r"bottom\[0\] has the shape \(1, 2, 4\); expected maps"),
        (GOOD, 3, (2, 3), r"sizes of the images have the shape \(2, 3\)"),
    ],
)
def test_what_does_not_fit(params, index, shape, message):
    bottoms = [np.zeros(shape) for shape in SHAPES]
    bottoms[index] = np.zeros(shape)
    with pytest.raises(LayerError, match=message):
        Runner(TEXT.format(params), bottoms, tops=2)


def test_no_box_is_large_enough():
    bottoms = [*(np.zeros(shape) for shape in SHAPES[:3]), np.array([[40, 60, 100]])]
    assert [top.shape for top in Runner(TEXT.format(GOOD), bottoms, tops=2).forward()] == [
        (0, 5),
        (0, 2, 2, 2),
    ]


def test_not_finite():
    bottoms = [np.full(shape, np.nan if i == 1 else 0.5) for i, shape in enumerate(SHAPES)]
    with pytest.raises(LayerError, match=r"bottom\[1\] is not finite"):
        Runner(TEXT.format(GOOD), bottoms, tops=2).forward()
