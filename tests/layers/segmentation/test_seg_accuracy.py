"""SegAccuracy: several forwards, classes that do not occur, ties, and labels that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def scores(*classes: int, of: int = 3) -> np.ndarray:
    """1 x `of` x 1 x n: pixels that are predicted as these classes."""
    return np.eye(of)[list(classes)].T.reshape(1, of, 1, -1)


def as_labels(*labels: float) -> np.ndarray:
    return np.reshape(labels, (1, 1, 1, -1))


def run(*forwards, fields: str = "") -> np.ndarray:
    runner = Runner(f'type: "SegAccuracy" seg_accuracy_param {{ {fields} }}', forwards[0])
    for bottoms in forwards:
        runner.feed(bottoms)
        (top,) = runner.forward()
    return top.ravel()


A = scores(0, 0, 1, 1), as_labels(0, 1, 1, 1)
B = scores(1, 1, 1, 1), as_labels(0, 0, 1, 1)


@pytest.mark.parametrize(
    "fields, want",
    [
        ("", (2 / 4, (0 + 1) / 2, (0 + 2 / 4 + 1) / 3)),
        ("reset: false", (5 / 8, (1 / 3 + 4 / 5) / 2, (1 / 4 + 4 / 7 + 1) / 3)),
    ],
)
def test_the_matrix_is_of_one_forward_or_of_all(fields, want):
    np.testing.assert_allclose(run(A, B, fields=fields), want, rtol=1e-6)


def test_of_equal_scores_the_greater_class_is_predicted():
    assert run((np.zeros((1, 3, 1, 2)), as_labels(2, 0)))[0] == 0.5


def test_without_labels_that_count():
    np.testing.assert_array_equal(
        run((scores(0, 1), as_labels(255, 255)), fields="ignore_label: 255"), [0, 0, 1]
    )


def test_a_snapshot_has_the_matrix():
    runner = Runner('type: "SegAccuracy" seg_accuracy_param { reset: false }', A)
    runner.forward()
    other = Runner('type: "SegAccuracy" seg_accuracy_param { reset: false }', B)
    other.layer.set_state(runner.layer.get_state())
    np.testing.assert_allclose(other.forward()[0].ravel(), run(A, B, fields="reset: false"))
    assert Runner('type: "SegAccuracy"', A).layer.get_state() == {}


@pytest.mark.parametrize("label", [3, -1, 255, np.nan])
def test_labels_that_are_no_class(label):
    with pytest.raises(LayerError, match="is no class; bottom"):
        run((scores(0, 1), as_labels(0, label)))


def test_shapes_that_do_not_fit():
    with pytest.raises(LayerError, match="expected N x C x H x W and N x 1 x H x W"):
        run((scores(0, 1), np.zeros((1, 2))))
