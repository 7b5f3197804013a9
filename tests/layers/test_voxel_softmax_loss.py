"""VoxelSoftmaxLoss: labels that are no class."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def test_a_label_that_is_no_class_costs_nothing_but_has_a_gradient():
    x = np.random.RandomState(0).standard_normal((1, 3, 1, 1, 2))
    made = Runner('type: "VoxelSoftmaxLoss"', [x, np.array([1, 7]).reshape(1, 1, 1, 1, 2)])
    prob = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    assert made.forward()[0] == pytest.approx(-np.log(prob[0, 1, 0, 0, 0]) / 2, rel=1e-5)
    diff = made.backward([np.array(1.0)])[0]
    prob[0, 1, 0, 0, 0] -= 1
    np.testing.assert_allclose(diff, prob / 2, atol=1e-6)
    for value in (-1, np.nan, np.inf):
        other = Runner('type: "VoxelSoftmaxLoss"', [x, np.array([1, value]).reshape(1, 1, 1, 1, 2)])
        assert other.forward()[0] == made.forward()[0]


def test_errors():
    with pytest.raises(LayerError, match="needs 2"):
        Runner('type: "VoxelSoftmaxLoss"', [np.zeros((1, 3, 2)), np.zeros((1, 3))])
