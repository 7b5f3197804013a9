"""BNLL against plain Python."""

import math

import numpy as np
import pytest

from layers.harness import Runner


@pytest.mark.parametrize("in_place", [False, True])
def test_against_plain_python(in_place):
    x, diff = (np.random.RandomState(3).standard_normal((2, 3, 2, 5)) * 4).astype(np.float32)
    runner = Runner('type: "BNLL"', [x], in_place=in_place)
    want = np.array([math.log(1 + math.exp(float(v))) for v in x.flat]).reshape(x.shape)
    slope = np.array([1 / (1 + math.exp(-float(v))) for v in x.flat]).reshape(x.shape)
    np.testing.assert_allclose(runner.forward()[0], want, rtol=1e-6)
    np.testing.assert_allclose(runner.backward([diff])[0], diff * slope, rtol=2e-6)


def test_large_values_do_not_overflow():
    runner = Runner('type: "BNLL"', [np.array([-1e30, -20, 0, 500])])
    np.testing.assert_allclose(runner.forward()[0], [0, math.exp(-20), math.log(2), 500], rtol=1e-6)
    np.testing.assert_allclose(runner.backward([np.ones(4)])[0], [0, math.exp(-20), 0.5, 1], rtol=1e-6)
