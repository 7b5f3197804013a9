"""Threshold."""

import numpy as np
import pytest

from layers.harness import Runner


@pytest.mark.parametrize("in_place", [False, True])
def test_ones_above_the_threshold_only(in_place):
    x = np.array([[-1, 0.5, 0.25], [0.75, 0, 0.5]], np.float32)
    runner = Runner('type: "Threshold" threshold_param { threshold: 0.5 }', [x], in_place=in_place)
    assert runner.forward()[0].tolist() == [[0, 0, 0], [1, 0, 0]]


def test_the_threshold_is_zero_unless_given():
    assert Runner('type: "Threshold"', [np.array([-1.0, 0, 1])]).forward()[0].tolist() == [0, 0, 1]
