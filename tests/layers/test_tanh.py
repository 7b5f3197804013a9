"""TanH against plain Python."""

import math

import numpy as np

from layers.harness import Runner


def test_against_plain_python():
    rng = np.random.RandomState(3)
    x, diff = (rng.standard_normal((2, 3, 2, 5)) * 2).astype(np.float32)
    runner = Runner('type: "TanH"', [x])
    want = np.array([math.tanh(v) for v in x.flat]).reshape(x.shape)
    np.testing.assert_allclose(runner.forward()[0], want, rtol=1e-6)
    np.testing.assert_allclose(runner.backward([diff])[0], diff * (1 - want**2), rtol=1e-5, atol=1e-6)


def test_large_values_do_not_overflow():
    assert Runner('type: "TanH"', [np.array([-1e30, 0, 500])]).forward()[0].tolist() == [-1, 0, 1]
