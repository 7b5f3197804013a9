"""Sigmoid against plain Python."""

import math

import numpy as np

from layers.harness import Runner


def test_against_plain_python():
    rng = np.random.RandomState(2)
    x, diff = (rng.standard_normal((2, 3, 2, 5)) * 3).astype(np.float32)
    runner = Runner('type: "Sigmoid"', [x])
    want = np.array([1 / (1 + math.exp(-v)) for v in x.flat]).reshape(x.shape)
    np.testing.assert_allclose(runner.forward()[0], want, rtol=1e-6)
    np.testing.assert_allclose(runner.backward([diff])[0], diff * want * (1 - want), rtol=1e-5, atol=1e-7)


def test_large_values_do_not_overflow():
    assert Runner('type: "Sigmoid"', [np.array([-1e30, -500, 0, 500])]).forward()[0].tolist() == [
        0,
        0,
        0.5,
        1,
    ]
