"""MultinomialLogisticLoss against plain loops."""

import math
import re

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

LAYER = 'type: "MultinomialLogisticLoss"'


@pytest.mark.parametrize("shape", [(4, 6), (4, 2, 3)])
def test_against_plain_loops(shape):
    rng = np.random.RandomState(3)
    x = rng.uniform(0.1, 0.9, shape).astype(np.float32)
    labels = np.array([3, 0, 5, 5])
    runner = Runner(LAYER, [x, labels.reshape(4, 1)])
    loss, diff = 0.0, np.zeros((4, 6))
    for i, label in enumerate(labels):
        prob = float(x.reshape(4, 6)[i, label])
        loss -= math.log(prob) / 4
        diff[i, label] = -2.5 / 4 / prob
    np.testing.assert_allclose(runner.forward()[0], loss, rtol=1e-6)
    np.testing.assert_allclose(runner.backward([2.5])[0], diff.reshape(shape), rtol=1e-6)


def test_probability_zero():
    runner = Runner(LAYER, [np.array([[0, 1.0], [0, 1]]), np.array([0, 1])])
    np.testing.assert_allclose(runner.forward()[0], -math.log(1e-20) / 2, rtol=1e-6)
    np.testing.assert_allclose(runner.backward([1])[0], [[-0.5e20, 0], [0, -0.5]], rtol=1e-6)


@pytest.mark.parametrize("kind", ["MultinomialLogisticLoss", "HingeLoss"])
def test_labels_that_do_not_fit(kind):
    layer = f'type: "{kind}"'
    with pytest.raises(LayerError, match=re.escape("label 3 at [1] of the labels (shape (2,)) is no class")):
        Runner(layer, [np.full((2, 3), 0.5), np.array([0, 3])]).forward()
    message = "bottom[1] has 8 labels (shape (2, 4)); bottom[0] (2, 3, 4) needs 2, one an example"
    with pytest.raises(LayerError, match=re.escape(message)):
        Runner(layer, [np.zeros((2, 3, 4)), np.zeros((2, 4))])
