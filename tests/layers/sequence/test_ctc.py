"""CTC: numbers worked out by hand, gradients of both losses, decoding, errors."""

import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.sequence.ctc import greedy, log_softmax, loss_and_occupancy
from layers.harness import Runner

WARP, CHWICK = 'type: "CtcLoss"', 'type: "CTCLoss"'


def test_two_steps_by_hand():
    y = np.log([[0.6, 0.4], [0.3, 0.7]])  # class 0 is the blank
    loss, occupancy = loss_and_occupancy(y, [1], 0)
    paths = {"11": 0.4 * 0.7, "10": 0.4 * 0.3, "01": 0.6 * 0.7}
    p = sum(paths.values())
    assert loss == pytest.approx(-math.log(p))
    at_first = (paths["11"] + paths["10"]) / p
    np.testing.assert_allclose(occupancy[0], [1 - at_first, at_first])
    np.testing.assert_allclose(occupancy.sum(axis=1), 1)


def test_no_labels_is_all_blanks():
    y = np.log([[0.6, 0.4], [0.3, 0.7]])
    loss, occupancy = loss_and_occupancy(y, [], 0)
    assert loss == pytest.approx(-math.log(0.18))
    np.testing.assert_allclose(occupancy, [[1, 0], [1, 0]])


def test_labels_that_do_not_fit_into_the_steps():
    y = log_softmax(np.zeros((3, 3)))
    assert loss_and_occupancy(y, [1, 1, 2], 0)[0] == np.inf  # a blank has to stand between equal ones
    assert loss_and_occupancy(y, [1, 1, 2], 0, merge_repeated=False)[0] == pytest.approx(3 * math.log(3))


def test_long_sequences_do_not_underflow():
    x = np.random.RandomState(0).standard_normal((400, 30)) * 5
    loss, occupancy = loss_and_occupancy(log_softmax(x), list(range(1, 30)) * 5, 0)
    assert 500 < loss < 5000 and np.isfinite(occupancy).all()
    np.testing.assert_allclose(occupancy.sum(axis=1), 1, rtol=1e-6)


def slopes(made: Runner) -> np.ndarray:
    x, step = made.bottom[0].data, 1e-5
    result = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        value = x[at]
        x[at] = value + step
        above = made.forward()[0]
        x[at] = value - step
        result[at] = (above - made.forward()[0]) / (2 * step)
        x[at] = value
    made.forward()
    return result


@pytest.mark.parametrize("layer, weighted", [(WARP, True), (CHWICK, False)])
def test_the_gradient_is_that_of_the_sum(layer, weighted):
    x = np.random.RandomState(1).standard_normal((5, 2, 4))
    if weighted:
        bottoms = [x, np.array([[1, 2, 2], [3, 0, 1]])]
    else:
        going, labels = np.ones((5, 2)), np.full((5, 2), -1)
        going[4, 1] = 0
        labels[:2] = [[1, 0], [2, 2]]
        bottoms = [x, going, labels]
    made = Runner(layer, bottoms, dtype=np.float64)
    want = 2 * slopes(made)
    got = made.backward([np.array(3.0)])[0]
    np.testing.assert_allclose(got, want * (3 if weighted else 1), atol=1e-6)


def test_a_sequence_with_too_many_labels_costs_nothing():
    x = np.random.RandomState(2).standard_normal((3, 2, 4))
    made = Runner(WARP, [x, np.array([[1, 1, 2], [3, 2, 0]])])
    alone = Runner(WARP, [x[:, 1:], np.array([[3, 2, 0]])])
    assert made.forward()[0] == pytest.approx(alone.forward()[0] / 2)
    diff = made.backward([np.array(1.0)])[0]
    assert not diff[:, 0].any() and diff[:, 1].any()


def test_steps_behind_time_step_have_no_gradient():
    x = np.random.RandomState(2).standard_normal((5, 1, 3))
    made = Runner(f"{WARP} ctc_loss_param {{ alphabet_size: 3 time_step: 4 }}", [x, np.array([[1, 2]])])
    made.forward()
    diff = made.backward([np.array(1.0)])[0]
    assert not diff[4].any() and diff[:4].any()


@pytest.mark.parametrize(
    "params, shapes, message",
    [
        ("", [(5, 3), (3, 2)], "expected T x N x classes"),
        ("", [(5, 3, 4), (2, 2)], "expected 3 x L labels"),
        ("alphabet_size: 5 time_step: 5", [(5, 3, 4), (3, 2)], "alphabet_size is 5"),
        ("alphabet_size: 4 time_step: 6", [(5, 3, 4), (3, 2)], "from 1 to the 5 steps"),
    ],
)
def test_errors_of_warp_ctc(params, shapes, message):
    layer = f"{WARP} ctc_loss_param {{ {params} }}" if params else WARP
    with pytest.raises(LayerError, match=message):
        Runner(layer, list(map(np.zeros, shapes)))


def test_errors_in_labels():
    made = Runner(WARP, [np.zeros((5, 1, 4)), np.array([[0, 0]])])
    with pytest.raises(LayerError, match="all labels are blank_label 0"):
        made.forward()
    made = Runner(WARP, [np.zeros((5, 1, 4)), np.array([[1, 4]])])
    with pytest.raises(LayerError, match="is no class"):
        made.forward()


def of_chwick(labels, steps=4, params="") -> Runner:
    column = np.full((steps, 1), -1.0)
    column[: len(labels), 0] = labels
    return Runner(f"{CHWICK} {params}", [np.zeros((steps, 1, 3)), np.ones((steps, 1)), column])


def test_what_ends_the_labels():
    assert of_chwick([1, 2]).forward()[0] == of_chwick([1]).forward()[0]  # 2 is the blank
    assert of_chwick([1, 9]).forward()[0] == of_chwick([1]).forward()[0]
    assert of_chwick([1, np.nan]).forward()[0] == of_chwick([1]).forward()[0]
    with pytest.raises(LayerError, match="behind the end"):
        of_chwick([1, 2, 0]).forward()


@pytest.mark.parametrize("labels", [[], [0, 1, 0]])
def test_errors_of_ctc_loss(labels):
    with pytest.raises(LayerError, match="labels and 2 steps"):
        of_chwick(labels, params="ctc_loss_param { output_delay: 2 }").forward()


def test_a_blank_that_is_no_class():
    with pytest.raises(LayerError, match="blank_index is 3"):
        of_chwick([1], params="ctc_loss_param { blank_index: 3 }")


def test_greedy():
    scores = np.eye(3)[[0, 1, 1, 0, 1, 2, 2]]
    assert greedy(scores, 0) == [1, 1, 2]
    assert greedy(scores, 0, merge_repeated=False) == [1, 1, 1, 2, 2]
    assert greedy(scores, 2) == [0, 1, 0, 1]


def test_accuracy_of_the_decoder():
    scores = np.eye(4)[[[0, 1], [3, 1], [1, 3], [1, 2]]]  # T x N x C: 0 1, and 1 2; the blank is 3
    right = np.array([[0, 1], [1, 3], [-1, -1], [-1, -1]])
    made = Runner('type: "CTCGreedyDecoder"', [scores, np.ones((4, 2)), right], tops=3)
    labels, totals, accuracy = made.forward()
    np.testing.assert_array_equal(labels[:, :, 0, 0], [[0, 1, -1, -1], [1, 2, -1, -1]])
    np.testing.assert_array_equal(totals.ravel(), [-4, -4])
    assert accuracy == 0.5
    right[1, 1] = -1  # what follows the right labels does not count
    made.feed([scores, np.ones((4, 2)), right])
    assert made.forward()[2] == 1


def test_the_accuracy_needs_labels():
    with pytest.raises(LayerError, match="needs a third bottom"):
        Runner('type: "CTCGreedyDecoder"', [np.zeros((4, 2, 3)), np.ones((4, 2))], tops=3)


def test_shapes_of_the_decoder():
    with pytest.raises(LayerError, match=r"bottom\[1\] has the shape"):
        Runner('type: "CTCGreedyDecoder"', [np.zeros((4, 2, 3)), np.ones((4, 3))])
