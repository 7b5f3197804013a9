"""FlowWarp: what comes from outside, and the last row and column."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

MAPS = np.array([[1.0, 2.0, 4.0]]).reshape(1, 1, 1, 3)


def warp(right, params="") -> Runner:
    flow = np.zeros((1, 2, 1, 3))
    flow[0, 0, 0] = right
    return Runner(f'type: "FlowWarp" flow_warp_param {{ {params} }}', [MAPS, flow])


def test_the_last_column_goes_on_to_its_end():
    runner = warp([0.5, 1.5, 1.0])  # 0.5, 2.5, 3
    assert runner.forward()[0].ravel().tolist() == [1.5, 4, 0]
    of_maps, of_flow = runner.backward([np.array([1.0, 10.0, 100.0]).reshape(1, 1, 1, 3)])
    assert of_maps.ravel().tolist() == [0.5, 0.5, 10]
    assert of_flow[0, 0].ravel().tolist() == [1, 0, 0]


def test_outside_there_is_nan_where_it_is_wanted():
    top = warp([-1, np.nan, 0], "fill_value: NOT_A_NUMBER").forward()[0].ravel()
    assert np.isnan(top[:2]).all() and top[2] == 4
    assert warp([-1, np.nan, 0]).forward()[0].ravel().tolist() == [0, 0, 4]


def test_what_is_wrong():
    with pytest.raises(LayerError, match="expected N x C x H x W and N x 2 x H x W"):
        Runner('type: "FlowWarp"', [MAPS, MAPS])
