"""Accuracy against plain loops, with ties and labels to ignore."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner
from layers.naive import NAIVE, given_to


@pytest.mark.parametrize("top_k, ignore", [(1, None), (3, None), (2, 4), (5, 0)])
def test_against_plain_loops(top_k, ignore):
    rng = np.random.RandomState(top_k)
    scores = rng.randint(0, 9, (4, 6, 2, 3)).astype(np.float32)  # with ties
    labels = rng.randint(0, 5, (4, 2, 3)).astype(np.float32)  # class 5 does not occur
    text = f"ignore_label: {ignore}" if ignore is not None else ""
    text = f'type: "Accuracy" accuracy_param {{ top_k: {top_k} {text} }}'
    runner = Runner(text, [scores, labels], tops=2)
    want, want_per_class = NAIVE["Accuracy"](given_to(runner))
    accuracy, per_class = runner.forward()
    assert accuracy.shape == () and 0 < want < 1
    np.testing.assert_allclose(accuracy, want, rtol=1e-6)
    np.testing.assert_allclose(per_class, want_per_class, rtol=1e-6)


def test_last_axis():
    scores = np.array([[[1, 2, 3], [3, 2, 1]]], np.float32)
    (accuracy,) = Runner(
        'type: "Accuracy" accuracy_param { axis: -1 }', [scores, np.array([[2, 2]])]
    ).forward()
    assert accuracy == 0.5


def test_ties_and_nan_count_against_the_label():
    scores = np.array([[2, 2, 1], [np.nan, 0, 0], [1, 0, 0], [1, np.nan, 0]])
    accuracy, per_class = Runner('type: "Accuracy"', [scores, np.zeros(4)], tops=2).forward()
    assert accuracy == 0.25 and per_class.tolist() == [0.25, 0, 0]


def test_nothing_but_ignored_labels():
    (accuracy,) = Runner(
        'type: "Accuracy" accuracy_param { ignore_label: 1 }', [np.eye(2), np.ones(2)]
    ).forward()
    assert accuracy == 0


def test_errors():
    x = np.zeros((4, 3))
    for text, labels, message in (
        ("accuracy_param { top_k: 4 }", np.zeros(4), "top_k is 4; it must be from 1 to the 3 classes"),
        ("accuracy_param { top_k: 0 }", np.zeros(4), "top_k is 0"),
        ("", np.zeros(5), "bottom[1] has 5 labels"),
        ("", np.array([0, 1, 3, 0]), "label 3 at [2]"),
    ):
        with pytest.raises(LayerError) as error:
            Runner('type: "Accuracy" ' + text, [x, labels]).forward()
        assert message in str(error.value)
