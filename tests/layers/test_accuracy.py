"""Accuracy against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def naive(scores, labels, top_k, ignore):
    """The accuracy, and that of each class; scores is outer x classes x inner."""
    right, seen = np.zeros(scores.shape[1]), np.zeros(scores.shape[1])
    for i, k in np.ndindex(labels.shape):
        label = int(labels[i, k])
        if label != ignore:
            better = [s for c, s in enumerate(scores[i, :, k]) if c != label and s >= scores[i, label, k]]
            right[label] += len(better) < top_k
            seen[label] += 1
    return right.sum() / seen.sum(), right / np.maximum(seen, 1)


@pytest.mark.parametrize("top_k, ignore", [(1, None), (3, None), (2, 4), (5, 0)])
def test_against_plain_loops(top_k, ignore):
    rng = np.random.RandomState(top_k)
    scores = rng.randint(0, 9, (4, 6, 2, 3)).astype(np.float32)  # with ties
    labels = rng.randint(0, 5, (4, 2, 3)).astype(np.float32)  # class 5 does not occur
    text = f"ignore_label: {ignore}" if ignore is not None else ""
    text = f'type: "Accuracy" accuracy_param {{ top_k: {top_k} {text} }}'
    accuracy, per_class = Runner(text, [scores, labels], tops=2).forward()
    want, want_per_class = naive(scores.reshape(4, 6, 6), labels.reshape(4, 6), top_k, ignore)
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
