"""SmoothL1Loss against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def naive(pred, target, inside, outside, sigma):
    loss, diff = 0.0, np.zeros(pred.size)
    for i, (p, t, a, b) in enumerate(zip(pred.flat, target.flat, inside.flat, outside.flat, strict=True)):
        d = float(a) * (float(p) - float(t))
        if abs(d) < 1 / sigma**2:
            loss += b * (sigma * d) ** 2 / 2
            diff[i] = b * a * sigma**2 * d
        else:
            loss += b * (abs(d) - 0.5 / sigma**2)
            diff[i] = b * a * (1 if d > 0 else -1)
    return loss / len(pred), diff.reshape(pred.shape) / len(pred)


@pytest.mark.parametrize("sigma, shape", [(1, (6, 8)), (3, (5, 4, 2, 3)), (0.5, (7,))])
@pytest.mark.parametrize("weighted", [False, True])
def test_against_plain_loops(sigma, shape, weighted):
    rng = np.random.RandomState(3)
    pred, target = (rng.standard_normal((2, *shape)) * 2).astype(np.float32)
    inside, outside = rng.uniform(-0.5, 2, (2, *shape)).astype(np.float32)
    inside.flat[1] = 0
    bottoms = [pred, target, inside, outside] if weighted else [pred, target]
    if not weighted:
        inside = outside = np.ones(shape)
    runner = Runner(f'type: "SmoothL1Loss" smooth_l1_loss_param {{ sigma: {sigma} }}', bottoms)
    (top,) = runner.forward()
    loss, diff = naive(pred, target, inside, outside, sigma)
    assert top.shape == ()
    np.testing.assert_allclose(top, loss, rtol=1e-6)
    pred_diff, target_diff, *weight_diffs = runner.backward([1.5])
    np.testing.assert_allclose(pred_diff, 1.5 * diff, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(target_diff, -pred_diff)
    assert weight_diffs == [None, None][: len(bottoms) - 2]


def test_loss_weights_alone_are_no_factor_of_the_gradient():
    rng = np.random.RandomState(5)
    pred, target = (rng.standard_normal((2, 6, 8)) * 2).astype(np.float32)
    weights = rng.choice([0, 0.5, 1, 3], (6, 8)).astype(np.float32)
    runner = Runner('type: "SmoothL1Loss"', [pred, target, weights])
    (top,) = runner.forward()
    np.testing.assert_allclose(top, naive(pred, target, weights, np.ones(pred.shape), 1)[0], rtol=1e-6)
    pred_diff, target_diff, _ = runner.backward([1.5])
    distance = weights.astype(float) * (pred - target)
    np.testing.assert_allclose(pred_diff, 1.5 / 6 * np.clip(distance, -1, 1), rtol=1e-5)
    np.testing.assert_array_equal(target_diff, -pred_diff)


def test_shapes_grow_and_shrink():
    rng = np.random.RandomState(4)
    runner = Runner('type: "SmoothL1Loss"', [np.zeros((2, 3))] * 2)
    for shape in ((5, 4), (3, 2)):
        pred, target = rng.standard_normal((2, *shape)).astype(np.float32)
        runner.feed([pred, target])
        np.testing.assert_allclose(
            runner.forward()[0], naive(pred, target, np.ones(shape), np.ones(shape), 1)[0], rtol=1e-6
        )


def test_wrong_shapes_and_params():
    a = np.zeros((3, 4))
    for text, bottoms, message in (
        ("", [a, a, np.zeros((3, 5))], "bottom[2] has the shape (3, 5), bottom[0] (3, 4)"),
        ("", [a, a, a, np.zeros((3, 5))], "bottom[3] has the shape (3, 5), bottom[0] (3, 4)"),
        ("smooth_l1_loss_param { sigma: 0 }", [a, a], "sigma is 0; it must be greater than 0"),
        ("smooth_l1_loss_param { sigma: nan }", [a, a], "sigma is nan"),
    ):
        with pytest.raises(LayerError) as error:
            Runner('type: "SmoothL1Loss" ' + text, bottoms)
        assert message in str(error.value)
