"""WarpCTCLoss: its gradient, sequences that cannot be shown, and errors."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

SCORES = np.random.default_rng(10).standard_normal((5, 2, 4))


def run(*others, params: str = "") -> Runner:
    text = f"type: 'WarpCTCLoss' ctc_loss_param {{ {params} }}"
    return Runner(text, [SCORES, *map(np.array, others)], dtype=np.float64)


def test_the_three_forms_agree():
    going = np.ones((5, 2))
    going[0], going[4, 1] = 0, 0
    columns = np.full((5, 2), -1)
    columns[:2] = [[2, 3], [1, 3]]
    by_indicators = run(going, columns)
    by_lengths = run([5, 4], [2, 2], columns[:3])
    losses = [runner.forward()[0] for runner in (by_indicators, by_lengths)]
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(
        *(runner.backward([np.array(1.0)])[0] for runner in (by_indicators, by_lengths))
    )
    whole = run([[2, 0, 1], [3, 0, 3]]).forward()[0]
    assert whole == run([5, 5], [2, 2], columns[:3]).forward()[0] != losses[0]


def test_the_gradient_is_that_of_the_sum_and_knows_no_weight():
    labels = [[2, 0, 1], [3, 3, 0]]
    runner = run(labels)
    runner.forward()
    diff = runner.backward([np.array(7.0)])[0]
    for at in ((3, 1, 2), (0, 0, 0)):
        losses = []
        for step in (1e-5, -1e-5):
            moved = SCORES.copy()
            moved[at] += step
            text = "type: 'WarpCTCLoss'"
            losses.append(Runner(text, [moved, np.array(labels)], dtype=np.float64).forward()[0])
        assert diff[at] == pytest.approx(2 * (losses[0] - losses[1]) / 2e-5, rel=1e-5)


def test_what_cannot_be_shown_costs_nothing():
    runner = run([5, 2], [1, 2], [[1, 3], [1, 3]])  # two equal labels need three steps
    (loss,) = runner.forward()
    assert 2 * loss == pytest.approx(
        run([5, 5], [1, 0], [[1, 3], [1, 3]]).forward()[0] * 2 - empty(), rel=1e-9
    )
    diff = runner.backward([np.array(1.0)])[0]
    assert diff[:, 0].all() and not diff[:, 1].any()


def empty() -> float:
    """What the second sequence costs that shows nothing but blanks."""
    scores = SCORES[:, 1]
    return float((np.log(np.exp(scores).sum(axis=1)) - scores[:, 0]).sum())


@pytest.mark.parametrize(
    ("others", "params", "message"),
    [
        ([[[1], [2]]], "blank_index: 4", "blank_index is 4; it must be from 0 to 3"),
        ([[[1], [2]]], "blank_index: -1", "blank_index is -1"),
        ([[[1], [2]]], "time_step: 4", "WarpCTCLoss has blank_index only"),
        ([[[1], [2], [3]]], "", "expected 2 x L labels"),
        ([[5, 5], [1], [[1, 1]]], "", "N steps, N numbers of labels, and labels L x N"),
        ([np.ones((4, 2)), np.ones((5, 2))], "", r"bottom\[1\] has the shape"),
    ],
)
def test_shapes_and_params_that_do_not_fit(others, params, message):
    with pytest.raises(LayerError, match=message):
        run(*others, params=params)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([[[1], [4]]], "label 4 at "),
        ([[5, 6], [1, 1], [[1, 1]]], r"the numbers of steps are \[5, 6\]; expected 0 to 5"),
        ([[5, 5], [1, 2], [[1, 1]]], r"the numbers of labels are \[1, 2\]; expected 0 to 1"),
        ([[5, 1], [1, 2], [[1, 1], [1, 2]]], "sequence 1 has 2 labels and 1 steps"),
        ([[5, 5], [1, 1], [[1, 4]]], "sequence 1 has the labels .*; classes are 0 to 3"),
        ([np.ones((5, 2)), np.full((5, 2), -1)], "sequence 0 has 5 steps and no label"),
    ],
)
def test_values_that_do_not_fit(others, message):
    with pytest.raises(LayerError, match=message):
        run(*others).forward()


def test_a_sequence_of_one_step_without_labels_is_left_out():
    going, columns = np.ones((5, 2)), np.full((5, 2), -1)
    going[:2, 1] = 0
    columns[0, 0] = 2
    runner = run(going, columns)
    assert runner.forward()[0] > 0
    diff = runner.backward([np.array(1.0)])[0]
    assert diff[:, 0].all() and not diff[:, 1].any()
