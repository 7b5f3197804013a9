"""Silence: takes anything, gives no gradient."""

import numpy as np

from layers.harness import Runner


def test_the_gradient_is_zero_where_it_is_wanted():
    runner = Runner('type: "Silence"', [np.ones((2, 3)), np.ones((4, 1, 5))], tops=0)
    assert runner.forward() == []
    (first, second) = runner.backward([], [True, False])
    assert first.tolist() == [[0] * 3] * 2
    assert second is None
    assert np.isnan(runner.bottom[1].diff).all()
