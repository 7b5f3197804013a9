"""RegionPooling: rings, rectangles whose ends cross, where the gradient goes, and errors."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

X = np.arange(1.0, 1 + 2 * 6 * 7).reshape(2, 1, 6, 7)


def pool(regions, params: str = "pooled_h: 1 pooled_w: 1", x=X) -> Runner:
    return Runner(f"type: 'RegionPooling' region_pooling_param {{ {params} }}", [x, np.array(regions, float)])


def test_the_inner_rectangle_does_not_count():
    # rows and columns 1 to 5 of the second image, without those strictly within 3 to 6
    runner = pool([[1, 0, 0, 5, 5, 2, 2, 6, 6]])
    (top,) = runner.forward()
    assert top.ravel() == [X[1, 0, 5, 3]]
    diff = runner.backward([np.full((1, 1, 1, 1), 2.0)])[0]
    assert diff[1, 0, 5, 3] == diff.sum() == 2


def test_where_the_ends_cross_one_pixel_is_left():
    runner = pool([[0, 2, 3, 3, 4, 0, 0, 0, 0]], "pooled_h: 1 pooled_w: 2 offset: 4")
    assert runner.forward()[0].ravel().tolist() == [X[0, 0, 4, 3]] * 2


def test_nothing_is_below_0():
    runner = pool([[0, 0, 0, 3, 3, 0, 0, 0, 0]], x=-X)
    assert runner.forward()[0].ravel() == [0]
    assert not runner.backward([np.ones((1, 1, 1, 1))])[0].any()


@pytest.mark.parametrize(
    ("regions", "params", "message"),
    [
        (
            [[2, 0, 0, 1, 1, 0, 0, 1, 1]],
            "pooled_h: 1 pooled_w: 1",
            "region 0 is .*; expected one of the images 0 to 1",
        ),
        ([[0, 0, np.nan, 1, 1, 0, 0, 1, 1]], "pooled_h: 1 pooled_w: 1", "and finite corners"),
        ([[0, 0, 1, 1, 1]], "pooled_h: 1 pooled_w: 1", "and R x 9"),
        ([[0] * 9], "pooled_h: 1", "pooled_h is 1 and pooled_w 0"),
    ],
)
def test_errors(regions, params, message):
    with pytest.raises(LayerError, match=message):
        pool(regions, params).forward()
