"""SigmoidCrossEntropyLoss against plain loops."""

import math
import re

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

LAYER = 'type: "SigmoidCrossEntropyLoss"'


@pytest.mark.parametrize(
    ("param", "divisor"),
    [
        ("", lambda count: 4),
        ("normalization: VALID", lambda count: count),
        ("normalization: FULL", lambda count: 24),
        ("normalization: NONE", lambda count: 1),
        ("normalize: true", lambda count: count),
        ("normalize: false", lambda count: 4),
    ],
)
@pytest.mark.parametrize("ignore", [None, 0, 2])
def test_against_plain_loops(param, divisor, ignore):
    rng = np.random.RandomState(3)
    x = (rng.standard_normal((4, 3, 2)) * 3).astype(np.float32)
    target = rng.uniform(0, 1, (4, 3, 2)).astype(np.float32)
    target.flat[::3] = 1
    target.flat[1::5] = 2 if ignore == 2 else 0
    text = "" if ignore is None else f"ignore_label: {ignore}"
    runner = Runner(f"{LAYER} loss_param {{ {param} {text} }}", [x, target])
    loss, count, diff = 0.0, 0, np.zeros(x.shape)
    for i in np.ndindex(*x.shape):
        t, s = float(target[i]), 1 / (1 + math.exp(-float(x[i])))
        if ignore is None or int(t) != ignore:  # the fractions of targets are cut off
            loss -= t * math.log(s) + (1 - t) * math.log(1 - s)
            diff[i] = s - t
            count += 1
    np.testing.assert_allclose(runner.forward()[0], loss / divisor(count), rtol=1e-5)
    got, none = runner.backward([2.5])
    np.testing.assert_allclose(got, 2.5 * diff / divisor(count), rtol=1e-5, atol=1e-6)
    assert none is None


def test_large_scores_do_not_overflow():
    runner = Runner(LAYER, [np.array([[-500.0, 500, -500, 500]]), np.array([[0, 1, 1, 0]])])
    assert runner.forward() == [1000]
    assert runner.backward([1])[0].tolist() == [[0, 0, -1, 1]]


def test_counts_that_differ():
    with pytest.raises(LayerError, match=re.escape("bottom[0] has the shape (4, 3), bottom[1] (4, 2)")):
        Runner(LAYER, [np.zeros((4, 3)), np.zeros((4, 2))])
