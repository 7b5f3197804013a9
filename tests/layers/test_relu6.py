"""ReLU6 against plain numbers, at both ends of its range."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("in_place", [False, True])
def test_both_ends(in_place):
    x = np.array([[-2, 0, 0.5], [6, 5.5, 7]], np.float32)
    runner = Runner('type: "ReLU6" relu6_param { negative_slope: 0.5 }', [x], in_place=in_place)
    assert runner.forward()[0].tolist() == [[-1, 0, 0.5], [6, 5.5, 6]]
    diff = np.array([[2, 3, 4], [5, 6, 7]], np.float32)
    assert runner.backward([diff])[0].tolist() == [[1, 1.5, 4], [0, 6, 0]]


def test_nan_stays_visible():
    assert np.isnan(Runner('type: "ReLU6"', [np.array([np.nan, 9])]).forward()[0]).tolist() == [True, False]


def test_a_negative_slope_below_zero_does_not_work_in_place():
    layer = 'type: "ReLU6" relu6_param { negative_slope: -0.5 }'
    with pytest.raises(LayerError, match=r"negative_slope -0.5 is below 0.*rename the top"):
        Runner(layer, [np.ones((2, 3))], in_place=True)
