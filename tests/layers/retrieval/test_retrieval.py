"""Layers of nets that retrieve and label images: gradients by hand, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def test_the_gradient_of_a_root_has_bounds():
    runner = Runner('type: "SignedSqrt"', [np.array([0.0, 4.0, -9.0])])
    assert runner.forward()[0].tolist() == [0, 2, -3]
    (diff,) = runner.backward([np.array([1.0, 2.0, 3.0])])
    np.testing.assert_allclose(diff, [1 / 0.06, 2 / 4.06, 3 / 6.06], rtol=1e-6)


@pytest.mark.parametrize("name, sign", [("K1", -1), ("K2", 1)])
def test_both_bottoms_of_the_code_losses_have_the_first_ones_gradient(name, sign):
    codes = np.array([[0.5, 0.75], [0, 1]])
    runner = Runner(f'type: "{name}_EuclideanLoss"', [codes, codes + 1])
    np.testing.assert_allclose(runner.forward()[0], sign * 0.5625 / 8)
    for diff in runner.backward([np.float32(2)]):
        np.testing.assert_allclose(diff, sign * 2 * (codes - 0.5) / 4)


def test_labels_that_nothing_is_known_of():
    scores, labels = np.array([[2.0, -3.0]]), np.zeros((1, 2))
    assert Runner('type: "MultiLabelLoss"', [scores, labels]).forward()[0] == 0
    (top,) = Runner('type: "MultiLabelAccuracy"', [scores, labels]).forward()
    assert not top.any()


def test_the_harmonic_mean_of_labels_of_one_kind():
    scores = np.array([[2.0, -3.0]])
    (top,) = Runner('type: "MultiLabelAccuracy"', [scores, np.array([[1, 1]])]).forward()
    np.testing.assert_array_equal(top.ravel(), np.float32([0.5, 0, np.nan, 1, 2 / 3]))


def test_large_scores_do_not_overflow():
    scores = np.array([[1000.0, -1000.0]])
    runner = Runner('type: "MultiLabelLoss"', [scores, np.array([[-1, 1]])])
    assert runner.forward()[0] == 2000
    assert runner.backward([np.float32(1)], [True, False])[0].tolist() == [[1, -1]]


def test_weights_of_triplets():
    a, p, n = np.array([[0.0], [0.0]]), np.array([[2.0], [1.0]]), np.array([[1.0], [1.0]])
    layer = 'type: "TripletLoss" triplet_loss_param { margin: 1 }'
    assert Runner(layer, [a, p, n, np.array([1.0, 10.0])]).forward()[0] == (4 + 10) / 4
    with pytest.raises(LayerError, match="expected 2 weights"):
        Runner(layer, [a, p, n, np.ones(3)])


@pytest.mark.parametrize(
    "layer, shapes, message",
    [
        ('"CompactBilinear"', [(1, 2, 3, 4)] * 2, "num_output is missing"),
        ('"CompactBilinear" compact_bilinear_param { num_output: 5 }', [(1, 2, 3, 4)] * 2, "it must be even"),
        (
            '"CompactBilinear" compact_bilinear_param { num_output: 4 }',
            [(1, 2, 3, 4), (1, 2, 4, 4)],
            "the same but for C",
        ),
        ('"K1_EuclideanLoss"', [(1, 2), (1, 3)], "expected the same"),
        ('"MultiLabelLoss"', [(1, 2), (1, 3)], "expected as many labels"),
        ('"MultiLabelAccuracy"', [(1, 2), (1, 3)], "expected as many labels"),
    ],
)
def test_what_is_wrong(layer, shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(f"type: {layer}", [np.ones(shape) for shape in shapes])
