"""SigmoidCrossEntropyBalanceLoss, SoftmaxWithBalanceLoss, Quantize and Rescale: what is special in them."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

LOSS = 'type: "SigmoidCrossEntropyBalanceLoss" sigmoid_cross_entropy_balance_loss_param { %s }'
X = np.array([[0.5, -2.0, 1.0, 3.0], [1.0, 2.0, -1.0, 0.0]])
TARGETS = np.array([[1, 0, 0, 0.5], [1, 1, 1, 1]])


def gradient(fields: str) -> np.ndarray:
    runner = Runner(LOSS % fields, [X, TARGETS], dtype=np.float64)
    runner.forward()
    return runner.backward([np.array(3.0)])[0]


def test_other_targets_have_a_gradient_but_in_rcf():
    slopes = 1 / (1 + np.exp(-X)) - TARGETS
    weights = np.array([[2 / 3, 1 / 3, 1 / 3, 1], [0, 0, 0, 0]])
    np.testing.assert_allclose(gradient(""), slopes * weights * 3 / 2, rtol=1e-6)
    weights[0, 1:] = 1.1 / 3, 1.1 / 3, 0
    want = slopes * weights * 3 / 2
    np.testing.assert_allclose(gradient("negative_weight: 1.1 ignore_others: true"), want, rtol=1e-6)


def test_an_image_without_targets_costs_nothing():
    runner = Runner(LOSS % "ignore_others: true", [X, np.full(X.shape, 0.5)])
    assert runner.forward()[0] == 0
    assert not runner.backward([np.array(1.0)])[0].any()


def test_large_scores():
    (loss,) = Runner(LOSS % "", [np.array([[1000.0, -1000.0]]), np.array([[0.0, 1.0]])]).forward()
    assert loss == 1000


CLASSES = 'type: "SoftmaxWithBalanceLoss" loss_param { %s }'


def test_a_softmax_loss_goes_by_the_classes_shares():
    """Labels 0 1 2, then 0 0 7: the second image's 7 is one of class 0. The gradient goes by the images so far."""
    x = np.array([[[1.0, 2, 0], [0, 0, 1], [3, 1, 1]], [[0.5, 1, 2], [1, 0, 0], [0, 2, 1]]])
    labels = np.array([[0, 1, 2], [0, 0, 7]])
    runner = Runner(CLASSES % "normalize: false", [x, labels], dtype=np.float64)
    prob = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    own = np.array([[prob[0, 0, 0], prob[0, 1, 1], prob[0, 2, 2]], prob[1, 0]])
    weights = np.array([[2, 4, 4], [2, 2, 2]]) / 6
    assert np.isclose(runner.forward()[0], (-np.log(own) * weights).sum() / 2)
    want = prob.copy()
    for i, classes in enumerate([[0, 1, 2], [0, 0, 0]]):
        for place, label in enumerate(classes):
            want[i, label, place] -= 1
    want *= np.array([[2, 1, 1], [1, 1, 1]])[:, None] / 3  # of 3 labels 1 is class 0, of 6 labels 4
    np.testing.assert_allclose(runner.backward([np.array(3.0)])[0], want * 3 / 2, rtol=1e-6)


def test_ignored_labels_count_in_the_gradients_shares():
    x, labels = np.array([[[0.0, 1, 2, 0], [1, 1, 0, 0]]]), np.array([[0, 1, 1, 1]])
    runner = Runner(CLASSES % "ignore_label: 0", [x, labels], dtype=np.float64)
    assert runner.forward()[0] == 0  # all that count are of one kind
    diff = runner.backward([np.array(1.0)])[0]
    prob = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(diff[0, 0], np.where([0, 1, 1, 1], prob[0, 0] / 4 / 3, 0), rtol=1e-6)


def test_bounds_of_the_classes_of_scales():
    x = np.array([0, 0.99, 1, 11.9, 12, 35.9, 36, 79.9, 80, 199, 200, 500, -3])
    (top,) = Runner('type: "Quantize"', [x]).forward()
    assert top.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0, 0, 0]


def test_bounds_of_rescaled_scales():
    x = np.array([0, 1e-5, 0.5, 7, 13.5, 14, 99])
    values, within = Runner('type: "Rescale" rescale_param { rf: 14 }', [x], tops=2).forward()
    np.testing.assert_allclose(values, [0, 0, 1 / 14 - 1, 0, 27 / 14 - 1, 0, 0], rtol=1e-5)
    assert within.tolist() == [0, 0, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    "layer, bottoms, message",
    [
        (LOSS % "", [np.zeros((2, 3)), np.zeros((2, 4))], "bottom[0] has the shape (2, 3), bottom[1] (2, 4)"),
        (
            CLASSES % "",
            [np.zeros((1, 2)), np.full(1, -1)],
            "label -1 at [0] of the labels (shape (1,)) is no class",
        ),
        (CLASSES % "", [np.zeros((1, 2)), np.full(1, np.nan)], "label nan at [0]"),
        ('type: "Quantize"', [np.array([np.nan])], "the bottom holds NaN"),
        ('type: "Rescale" rescale_param { rf: 0 }', [np.zeros(3)], "it must be at least 1"),
    ],
)
def test_errors(layer, bottoms, message):
    with pytest.raises(LayerError) as error:
        Runner(layer, bottoms).forward()
    assert message in str(error.value)
