"""Reduction against plain loops."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

OPERATIONS = {  # value of an element, its slope
    "SUM": (lambda v: v, lambda v: 1),
    "ASUM": (abs, np.sign),
    "SUMSQ": (lambda v: v * v, lambda v: 2 * v),
    "MEAN": (lambda v: v, lambda v: 1),
}


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_against_plain_loops(operation, axis):
    rng = np.random.RandomState(3)
    x = rng.standard_normal((2, 3, 5)).astype(np.float32)
    x[1, 2, 3] = 0
    kept = x.shape[:axis] if axis else ()
    diff = rng.standard_normal(kept).astype(np.float32)
    runner = Runner(
        f'type: "Reduction" reduction_param {{ operation: {operation} axis: {axis} coeff: -1.5 }}', [x]
    )
    value, slope = OPERATIONS[operation]
    coeff = -1.5 / (x.size / diff.size if operation == "MEAN" else 1)
    top, x_diff = np.zeros(kept), np.zeros(x.shape)
    for i in np.ndindex(*x.shape):
        top[i[: len(kept)]] += coeff * value(float(x[i]))
        x_diff[i] = coeff * slope(float(x[i])) * diff[i[: len(kept)]]
    (got,) = runner.forward()
    assert got.shape == kept
    np.testing.assert_allclose(got, top, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(runner.backward([diff])[0], x_diff, rtol=1e-6)


def test_the_sum_of_all_is_the_default():
    assert Runner('type: "Reduction"', [np.array([[1.0, 2], [3, 5]])]).forward()[0] == 11


def test_axis_out_of_range():
    with pytest.raises(LayerError, match="axis 2 is out of range"):
        Runner('type: "Reduction" reduction_param { axis: 2 }', [np.zeros((2, 3))])
