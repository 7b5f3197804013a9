"""Gradients of Arroosh's softmax layers, which are not those of what they compute, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

RNG = np.random.RandomState(3)
X = RNG.standard_normal((2, 3, 4, 5))


def softmax(x):
    e = np.exp(x)
    return e / e.sum(axis=1, keepdims=True)


def test_the_gradient_of_a_multiple_takes_the_top_for_the_softmax():
    runner = Runner("type: 'MultiSoftmax' mult_softmax_param { max_multiple: 3 }", [X])
    top, seed = runner.forward()[0], RNG.standard_normal(X.shape)
    np.testing.assert_allclose(top, 3 * softmax(X), rtol=1e-5)
    want = (seed - (seed * top).sum(axis=1, keepdims=True)) * top
    np.testing.assert_allclose(runner.backward([seed])[0], want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weight", [1, 0.25])
def test_the_gradient_of_the_loss(weight):
    labels = RNG.randint(1, 4, (2, 4, 5))
    runner = Runner(
        "type: 'MultiSoftmaxLoss' mult_softmax_loss_param { learning_multiple: 5 }",
        [X, labels.reshape(2, 20)],
    )
    runner.forward()
    hot = np.arange(1, 4)[:, None, None] == labels[:, None]
    np.testing.assert_allclose(
        runner.backward([weight], [True, False])[0], (softmax(X) - hot) * 2.5, atol=1e-5
    )


@pytest.mark.parametrize("label", [0.5, 4, np.nan])
def test_labels_count_from_one(label):
    labels = np.ones((2, 20))
    labels[1, 3] = label
    with pytest.raises(LayerError, match=f"label {label:g} is no class; expected 1 to 3"):
        Runner("type: 'MultiSoftmaxLoss'", [X, labels]).forward()


@pytest.mark.parametrize(
    "layer, shapes, told",
    [
        ("MultiSoftmax", [(3,)], "expected N x C x"),
        ("MultiSoftmaxLoss", [(3,), (3,)], "expected N x C x"),
        ("MultiSoftmaxLoss", [(2, 3, 4), (2, 5)], "bottom.1. has 10 labels"),
    ],
)
def test_shapes(layer, shapes, told):
    with pytest.raises(LayerError, match=told):
        Runner(f"type: '{layer}'", [np.ones(shape) for shape in shapes])
