"""SoftmaxWithLoss against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

LAYER = 'type: "SoftmaxWithLoss" '


def naive(x, labels, ignore=None):
    """The sum of the losses, its gradient, and how many labels counted; x is outer x classes x inner."""
    loss, count, diff = 0.0, 0, np.zeros(x.shape)
    for i in range(x.shape[0]):
        for k in range(x.shape[2]):
            label = int(labels[i, k])
            if label != ignore:
                powers = [math.exp(v - max(x[i, :, k])) for v in x[i, :, k]]
                prob = [p / sum(powers) for p in powers]
                loss -= math.log(max(prob[label], 2.0**-126))
                diff[i, :, k] = prob
                diff[i, label, k] -= 1
                count += 1
    return loss, diff, count


def spatial(seed=0):
    rng = np.random.RandomState(seed)
    return rng.standard_normal((3, 5, 2, 4)).astype(np.float32), rng.randint(0, 5, (3, 2, 4)).astype(
        np.float32
    )


@pytest.mark.parametrize(
    "param, divisor",
    [
        ("", lambda count: count),
        ("normalization: VALID", lambda count: count),
        ("normalization: FULL", lambda count: 24),
        ("normalization: BATCH_SIZE", lambda count: 3),
        ("normalization: NONE", lambda count: 1),
        ("normalize: true", lambda count: count),
        ("normalize: false", lambda count: 3),
        ("normalize: false normalization: FULL", lambda count: 24),
    ],
)
@pytest.mark.parametrize("ignore", [None, 3])
def test_normalizations(param, divisor, ignore):
    x, labels = spatial()
    text = f"ignore_label: {ignore}" if ignore is not None else ""
    runner = Runner(LAYER + f"loss_param {{ {param} {text} }}", [x, labels])
    (top,) = runner.forward()
    loss, diff, count = naive(x.reshape(3, 5, 8), labels.reshape(3, 8), ignore)
    assert top.shape == ()
    assert count == (24 if ignore is None else np.count_nonzero(labels != 3))
    np.testing.assert_allclose(top, loss / divisor(count), rtol=1e-6)
    got, labels_diff = runner.backward([np.float32(2.5)])
    np.testing.assert_allclose(got, 2.5 * diff.reshape(x.shape) / divisor(count), atol=1e-6)
    assert labels_diff is None


def test_other_axis_and_second_top():
    rng = np.random.RandomState(7)
    x, labels = (
        rng.standard_normal((3, 2, 5)).astype(np.float32),
        np.array([[4, 0], [1, 2], [0, 3]], np.float32),
    )
    runner = Runner(LAYER + "softmax_param { axis: -1 }", [x, labels], tops=2)
    loss, prob = runner.forward()
    want, diff, count = naive(x.reshape(6, 5, 1), labels.reshape(6, 1))
    np.testing.assert_allclose(loss, want / count, rtol=1e-6)
    np.testing.assert_allclose(prob.sum(axis=2), 1, rtol=1e-6)
    np.testing.assert_allclose(runner.backward([1, np.nan])[0], diff.reshape(x.shape) / count, atol=1e-6)


def test_an_impossible_label_costs_as_much_as_the_least_float():
    (loss,) = Runner(LAYER, [np.array([[0, 200.0, 3], [0, 0, 0]]), np.array([0, 1])]).forward()
    np.testing.assert_allclose(loss, (87.33654 + math.log(3)) / 2, rtol=1e-6)


def test_all_labels_ignored_is_zero():
    runner = Runner(LAYER + "loss_param { ignore_label: -1 }", [np.ones((2, 3)), np.array([-1, -1])])
    assert runner.forward() == [0]
    assert not runner.backward([1])[0].any()


@pytest.mark.parametrize("label, shown", [(5, "5"), (-1, "-1"), (np.nan, "nan"), (-1e20, "-1e+20")])
def test_a_label_that_is_no_class(label, shown):
    x, labels = spatial()
    labels[1, 0, 3] = label
    with pytest.raises(LayerError) as error:
        Runner(LAYER + "loss_param { ignore_label: 2 }", [x, labels]).forward()
    assert f"label {shown} at [1, 0, 3] of the labels (shape (3, 2, 4)) is no class" in str(error.value)
    assert "classes 0 to 4" in str(error.value)


def test_wrong_shapes():
    for x, labels, message in (
        (
            (4, 5, 3),
            (4, 2),
            "bottom[1] has 8 labels (shape (4, 2)); bottom[0] (4, 5, 3) with the classes on axis 1",
        ),
        ((4, 5), (3,), "bottom[0] (4, 5) has 4 examples, bottom[1] (3,) has 3"),
        ((0, 5), (0,), "nothing to take a loss of"),
    ):
        with pytest.raises(LayerError) as error:
            Runner(LAYER, [np.zeros(x), np.zeros(labels)])
        assert message in str(error.value)


def test_another_number_of_class_weights():
    with pytest.raises(LayerError, match="class_weighting is given 1 times for 3 classes"):
        Runner(
            'type: "SoftmaxWithLoss" loss_param { weight_by_label_freqs: true class_weighting: 2 }',
            [np.zeros((4, 3)), np.zeros(4)],
        )


def test_a_label_below_0_stands_for_all_classes():
    x = np.array([[1.0, 2, 0], [0, 1, 3], [2, 2, 1]])
    logs = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    layer = 'type: "LSROLoss" loss_param { %s }'
    runner = Runner(layer % "", [x, np.array([1, -1, -7])], dtype=np.float64)
    want = -(logs[0, 1] + logs[1].mean() + logs[2].mean()) / 3
    np.testing.assert_allclose(runner.forward()[0], want, rtol=1e-6)
    targets = np.array([[0, 1, 0], [1 / 3] * 3, [1 / 3] * 3])
    np.testing.assert_allclose(
        runner.backward([np.array(2.0)])[0], (np.exp(logs) - targets) * 2 / 3, rtol=1e-6
    )
    ignored = Runner(layer % "ignore_label: -1", [x, np.array([1, -1, -7])], dtype=np.float64)
    np.testing.assert_allclose(ignored.forward()[0], -(logs[0, 1] + logs[2].mean()) / 2, rtol=1e-6)
    for label in (3, np.nan):
        with pytest.raises(LayerError, match="is no class"):
            Runner(layer % "", [x, np.array([1, label, 0])]).forward()
