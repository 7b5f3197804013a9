"""SequenceAccuracy and LabelsequenceAccuracy: numbers by hand, errors."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def test_equal_longer_shorter_and_wrong():
    read = np.array([[1, 2, -1, 9], [1, 2, 3, -1], [1, -1, 2, 2], [3, 2, 2, 1]])
    right = np.array([[1, 2, -1], [1, 2, -1], [1, 2, -1], [3, 1, 1]])
    accuracy, means, same = Runner('type: "SequenceAccuracy"', [read, right], tops=3).forward()
    assert accuracy == 0.25
    np.testing.assert_allclose(means, [(0 + 1 + 1 + 2) / 4, (2 + 2 + 2 + 3) / 4, (2 + 3 + 1 + 4) / 4])
    assert same == (2 + 2 + 1 + 2) / 4


def test_labelsequence_accuracy():
    scores = np.eye(3)[[[1, 1, 0, 1], [2, 0, 0, 1]]]  # 1 1, and 2 1
    labels = np.array([[1, 0, 1], [2, 2, 1]])
    assert Runner('type: "LabelsequenceAccuracy"', [scores, labels]).forward()[0] == 0.5


def test_errors():
    with pytest.raises(LayerError, match="expected N x P labels"):
        Runner('type: "SequenceAccuracy"', [np.zeros((2, 3)), np.zeros((3, 3))])
    with pytest.raises(LayerError, match="expected N x T x classes"):
        Runner('type: "LabelsequenceAccuracy"', [np.zeros((2, 3, 4)), np.zeros((3, 3))])


def test_reverse_and_transpose_and_indicator():
    with pytest.raises(LayerError, match="axis 3 is out of range"):
        Runner('type: "Reverse" reverse_param { axis: 3 }', [np.zeros((2, 3))])
    for order in ("", "dim: 0", "dim: 0 dim: 0", "dim: 0 dim: 2", "dim: 0 dim: -1"):
        with pytest.raises(LayerError, match="name each axis"):
            Runner(f'type: "Transpose" transpose_param {{ {order} }}', [np.zeros((2, 3))])
    with pytest.raises(LayerError, match="time_step"):
        Runner('type: "ContinuationIndicator"', [])
    text = 'type: "ContinuationIndicator" continuation_indicator_param { time_step: 2 axis: 1 }'
    with pytest.raises(LayerError, match="a batch_size of at least 1"):
        Runner(text, [np.zeros((4, 3))]).feed([np.zeros((4, 0))])
