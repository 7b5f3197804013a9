"""SoftmaxWithLossOHEM and SmoothL1LossOHEM against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

F = np.float32


@pytest.mark.parametrize(
    "params, divisor",
    [
        ("ignore_label: 1", None),
        ("normalization: PRE_FIXED pre_fixed_normalizer: 2.5", 2.5),
        ("normalization: PRE_FIXED pre_fixed_normalizer: 0.5", 1),
        ("normalization: NONE ignore_label: 0", 1),
    ],
)
def test_softmax(params, divisor):
    rng = np.random.RandomState(1)
    scores, labels = 3 * rng.standard_normal((4, 3, 2, 5)), rng.randint(0, 3, (4, 1, 2, 5))
    ignored = {"ignore_label: 1": 1, "normalization: NONE ignore_label: 0": 0}.get(params)
    costs = np.zeros(labels.shape)
    diff = np.zeros(scores.shape)
    for n, _, h, w in np.ndindex(labels.shape):
        label = labels[n, 0, h, w]
        if label != ignored:
            powers = [math.exp(score) for score in scores[n, :, h, w]]
            costs[n, 0, h, w] = -math.log(powers[label] / sum(powers))
            diff[n, :, h, w] = [p / sum(powers) - (c == label) for c, p in enumerate(powers)]
    divisor = divisor or np.count_nonzero(labels != ignored)
    runner = Runner(f'type: "SoftmaxWithLossOHEM" loss_param {{ {params} }}', [scores, labels], tops=3)
    loss, prob, each = runner.forward()
    np.testing.assert_allclose(loss, costs.sum() / divisor, rtol=1e-6)
    np.testing.assert_allclose(each, costs, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(prob.sum(axis=1), 1, rtol=1e-6)
    got, _ = runner.backward([1.5, None, None])
    np.testing.assert_allclose(got, 1.5 * diff / divisor, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "params, divisor",
    [
        ("", 4 * 6),
        ("normalization: FULL", 4 * 6),
        ("normalization: BATCH_SIZE", 4),
        ("normalize: false", 4),
        ("normalization: NONE", 1),
        ("normalization: PRE_FIXED pre_fixed_normalizer: 128", 128),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_smooth_l1(params, divisor, weighted):
    rng = np.random.RandomState(2)
    pred, target = 2 * rng.standard_normal((2, 4, 8, 2, 3))
    weights = rng.choice([0, 1, 1.5], pred.shape) if weighted else np.ones(pred.shape)
    each, diff = np.zeros((4, 1, 2, 3)), np.zeros(pred.shape)
    for n, c, h, w in np.ndindex(pred.shape):
        d = weights[n, c, h, w] * (pred[n, c, h, w] - target[n, c, h, w])
        each[n, 0, h, w] += d * d / 2 if abs(d) < 1 else abs(d) - 0.5
        diff[n, c, h, w] = d if abs(d) < 1 else math.copysign(1, d)  # without the weight, as in the fork
    bottoms = [pred, target, weights] if weighted else [pred, target]
    runner = Runner(f'type: "SmoothL1LossOHEM" loss_param {{ {params} }}', bottoms, tops=2)
    loss, rows = runner.forward()
    np.testing.assert_allclose(loss, each.sum() / divisor, rtol=1e-6)
    np.testing.assert_allclose(rows, each, rtol=1e-5)
    pred_diff, target_diff, *_ = runner.backward([1.5, None])
    np.testing.assert_allclose(pred_diff, 1.5 * diff / divisor, rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(target_diff, -pred_diff)


def test_rows_have_the_shape_of_labels():
    """Targets without axes of 1 give losses without them, to be added to those of labels without them."""
    pred, target = np.ones((7, 8, 1, 1)), np.zeros((7, 8))
    for targets, shape in ((target, (7,)), (target[..., None, None], (7, 1, 1, 1))):
        _, rows = Runner('type: "SmoothL1LossOHEM"', [pred, targets], tops=2).forward()
        assert rows.shape == shape
        np.testing.assert_array_equal(rows.ravel(), 4)


def test_wrong_shapes():
    a = np.zeros((3, 4))
    for bottoms, message in (
        ([a, a, np.zeros((3, 5))], "bottom[2] has the shape (3, 5), bottom[0] (3, 4)"),
        ([a, np.zeros((4, 3))], "bottom[0] (3, 4) has 3 examples"),
    ):
        with pytest.raises(LayerError) as error:
            Runner('type: "SmoothL1LossOHEM"', bottoms)
        assert message in str(error.value)
