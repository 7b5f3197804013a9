"""Softmax against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def naive(x, axis):
    powers = np.exp(x.astype(np.float64) - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


@pytest.mark.parametrize(
    "shape, axis", [((7, 21), 1), ((2, 5, 3, 4), 1), ((2, 5, 3), -1), ((4, 3), 0), ((6,), 0)]
)
def test_against_numpy(shape, axis):
    rng = np.random.RandomState(1)
    x = (rng.standard_normal(shape) * 5).astype(np.float32)
    runner = Runner(f'type: "Softmax" softmax_param {{ axis: {axis} }}', [x])
    (y,) = runner.forward()
    want = naive(x, axis)
    np.testing.assert_allclose(y, want, rtol=1e-6, atol=1e-9)
    seed = rng.standard_normal(shape).astype(np.float32)
    (diff,) = runner.backward([seed])
    np.testing.assert_allclose(diff, want * (seed - (want * seed).sum(axis, keepdims=True)), atol=1e-6)


def test_large_values_do_not_overflow():
    (y,) = Runner('type: "Softmax"', [np.array([[1e30, -1e30, 1e30], [-3e38, 3e38, 0]])]).forward()
    np.testing.assert_array_equal(y, np.array([[0.5, 0, 0.5], [0, 1, 0]], np.float32))


def test_in_place():
    rng = np.random.RandomState(2)
    x, seed = rng.standard_normal((3, 5, 2)), rng.standard_normal((3, 5, 2))
    apart = Runner('type: "Softmax"', [x])
    together = Runner('type: "Softmax"', [x], in_place=True)
    np.testing.assert_array_equal(together.forward()[0], apart.forward()[0])
    np.testing.assert_array_equal(together.backward([seed])[0], apart.backward([seed])[0])


def test_axis_out_of_range():
    with pytest.raises(LayerError, match=r"axis 2 is out of range for a bottom of shape \(3, 4\)"):
        Runner('type: "Softmax" softmax_param { axis: 2 }', [np.zeros((3, 4))])
