"""EuclideanLoss against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("shape, other", [((4, 3, 2), (4, 3, 2)), ((5, 6), (5, 2, 3))])
def test_against_numpy(shape, other):
    rng = np.random.RandomState(1)
    a, b = rng.standard_normal(shape).astype(np.float32), rng.standard_normal(other).astype(np.float32)
    runner = Runner('type: "EuclideanLoss"', [a, b])
    (loss,) = runner.forward()
    assert loss.shape == ()
    difference = a.astype(np.float64) - b.reshape(shape)
    np.testing.assert_allclose(loss, (difference**2).sum() / 2 / shape[0], rtol=1e-6)
    a_diff, b_diff = runner.backward([0.5])
    np.testing.assert_allclose(a_diff, 0.5 * difference / shape[0], rtol=1e-6)
    np.testing.assert_array_equal(b_diff.reshape(shape), -a_diff)


def test_only_the_targets():
    runner = Runner('type: "EuclideanLoss"', [np.full((2, 3), 5), np.zeros((2, 3))])
    runner.forward()
    a_diff, b_diff = runner.backward([1], [False, True])
    assert a_diff is None and np.isnan(runner.bottom[0].diff).all()
    np.testing.assert_array_equal(b_diff, np.full((2, 3), -2.5))


def test_the_example_of_a_python_layer():
    """It is built in, for every Caffe has a net with it; its top has an axis, and weighs nothing by itself."""
    text = 'type: "Python" python_param { module: "pyloss" layer: "EuclideanLossLayer" }'
    runner = Runner(text, [np.full((2, 3), 5), np.zeros((2, 3))])
    (loss,) = runner.forward()
    np.testing.assert_array_equal(loss, [37.5])
    a_diff, b_diff = runner.backward([np.full(1, 2)])
    np.testing.assert_array_equal(a_diff, np.full((2, 3), 5))
    np.testing.assert_array_equal(b_diff, -a_diff)
    assert not runner.layer.is_loss


def test_wrong_shapes():
    with pytest.raises(LayerError, match=r"bottom\[0\] has the shape \(2, 3\), bottom\[1\] \(2, 4\)"):
        Runner('type: "EuclideanLoss"', [np.zeros((2, 3)), np.zeros((2, 4))])
