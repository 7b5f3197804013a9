"""BReLU: limits the right way round."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def test_limits_the_wrong_way_round():
    with pytest.raises(LayerError, match="minval 2 is above maxval 1"):
        Runner("type: 'BReLU' brelu_param { minval: 2 }", [np.ones(3)])


def test_the_limits_are_0_and_1_where_none_are_given():
    assert Runner("type: 'BReLU'", [np.array([-0.5, 0.25, 3])]).forward()[0].tolist() == [0, 0.25, 1]


def test_a_limit_is_within():
    runner = Runner("type: 'BReLU' brelu_param { minval: -1 maxval: 2 }", [np.array([-1.5, -1, 0, 2, 3])])
    assert runner.forward()[0].tolist() == [-1, -1, 0, 2, 2]
    assert runner.backward([np.arange(1.0, 6)])[0].tolist() == [0, 2, 3, 4, 0]
