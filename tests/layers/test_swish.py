"""Swish against plain Python."""

import math

import numpy as np
import pytest

from layers.harness import Runner


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(("params", "beta"), [("", 1), ("swish_param { beta: 1.5 }", 1.5)])
def test_against_plain_python(params, beta, in_place):
    x, diff = (np.random.RandomState(3).standard_normal((2, 3, 2, 5)) * 3).astype(np.float32)
    runner = Runner(f'type: "Swish" {params}', [x], in_place=in_place)
    s = np.array([1 / (1 + math.exp(-beta * float(v))) for v in x.flat]).reshape(x.shape)
    np.testing.assert_allclose(runner.forward()[0], x * s, rtol=2e-6)
    slope = s + beta * x * s * (1 - s)
    np.testing.assert_allclose(runner.backward([diff])[0], diff * slope, rtol=1e-5, atol=1e-6)


def test_large_values_do_not_overflow():
    runner = Runner('type: "Swish"', [np.array([-500.0, 0, 500])])
    assert runner.forward()[0].tolist() == [0, 0, 500]
    assert runner.backward([np.ones(3)])[0].tolist() == [0, 0.5, 1]
