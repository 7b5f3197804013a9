"""Warp: the border, places on pixels, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

MAPS = np.array([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]]).reshape(1, 1, 2, 3)


def warp(right, down) -> Runner:
    return Runner('type: "Warp"', [MAPS, np.stack([np.full((2, 3), right), np.full((2, 3), down)])[None]])


def test_behind_the_last_pixel_there_is_nothing():
    runner = warp(0.5, 0)
    assert runner.forward()[0].ravel().tolist() == [1.5, 3, 0, 12, 24, 0]
    of_maps, of_flow = runner.backward([np.ones((1, 1, 2, 3))])
    assert of_maps.ravel().tolist() == [0.5, 1, 0.5, 0.5, 1, 0.5]
    assert of_flow[0, 0].ravel().tolist() == [1, 2, 0, 8, 16, 0]


def test_the_slope_at_a_pixel_is_the_mean_of_those_at_its_sides():
    runner = warp(0, 0)
    assert runner.forward()[0].ravel().tolist() == MAPS.ravel().tolist()
    of_flow = runner.backward([np.ones((1, 1, 2, 3))])[1][0]
    assert of_flow[0].ravel().tolist() == [0.5, 1.5, 1, 4, 12, 8]
    assert of_flow[1].ravel().tolist() == [3.5, 7, 14, 3.5, 7, 14]


def test_nan_is_outside():
    assert warp(np.nan, 0).forward()[0].ravel().tolist() == [0] * 6


def test_what_is_wrong():
    with pytest.raises(LayerError, match="expected N x C x H x W and N x 2 x H x W"):
        Runner('type: "Warp"', [MAPS, MAPS])
