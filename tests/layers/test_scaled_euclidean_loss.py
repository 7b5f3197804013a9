"""EuclideanLoss with scales: its gradient, which is the original's, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.registry import create_layer
from caffe_compat.layers.scaled_euclidean_loss import ScaledEuclideanLoss
from caffe_compat.prototxt.caffe_pb2 import LayerParameter
from layers.harness import Runner

TEXT = 'type: "ScaledEuclideanLoss"'


def test_the_gradient_has_the_scale_once():
    a, b = np.array([[5.0, 2, 4], [1, 1, 3]]), np.array([[1.0, 2, 2], [0, 3, 3]])
    scale = np.array([[0.5, 1, 3], [2, 0, 1]])
    runner = Runner(TEXT, [a, b, scale])
    assert runner.forward()[0] == pytest.approx((4 + 36 + 4) / 2 / 6, rel=1e-6)
    at_a, at_b, at_scale = runner.backward([3.0])
    np.testing.assert_allclose(at_a, scale * (a - b) / 2, rtol=1e-6)
    np.testing.assert_array_equal(at_b, -at_a)
    assert at_scale is None


def test_three_bottoms_are_this_form():
    assert isinstance(
        create_layer(LayerParameter(type="EuclideanLoss", bottom="abc"), TRAIN), ScaledEuclideanLoss
    )


def test_a_scale_for_each_element():
    with pytest.raises(LayerError, match="expected a scale for each element"):
        Runner(TEXT, [np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 1))])
