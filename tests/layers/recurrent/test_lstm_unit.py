"""LSTMUnit against plain Python."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner
from layers.recurrent.recurrence import lstm, slopes


@pytest.mark.parametrize("cont", [(0, 1, 1), (0.3, 1, 0.7)])
def test_one_step_and_its_gradients(cont):
    rng = np.random.RandomState(1)
    c_prev, x = rng.standard_normal((1, 3, 2)), rng.standard_normal((1, 3, 8))
    flags = np.array(cont, float).reshape(1, 3)
    runner = Runner('type: "LSTMUnit"', [c_prev, x, flags], tops=2)
    c, h = runner.forward()

    def naive():
        gates = [np.eye(8), np.zeros(8), np.zeros((8, 2))]
        _, (last_h, last_c) = lstm(x, flags, None, gates, np.zeros((3, 2)), c_prev[0])
        return last_c[None], last_h[None]

    np.testing.assert_allclose(c, naive()[0], rtol=1e-5)
    np.testing.assert_allclose(h, naive()[1], rtol=1e-5)
    seeds = [rng.standard_normal((1, 3, 2)).astype(np.float32) for _ in range(2)]
    diffs = runner.backward(seeds)

    def objective():
        return sum((seed * top).sum() for seed, top in zip(seeds, naive(), strict=True))

    np.testing.assert_allclose(diffs[0], slopes(objective, c_prev), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(diffs[1], slopes(objective, x), rtol=1e-4, atol=1e-6)
    assert diffs[2] is None


@pytest.mark.parametrize(
    "shapes",
    [
        [(1, 3, 2), (1, 3, 6), (1, 3)],
        [(2, 3, 2), (2, 3, 8), (2, 3)],
        [(3, 2), (3, 8), (1, 3)],
        [(1, 3, 2), (1, 3, 8), (1, 4)],
        [(1, 3, 2), (1, 3, 8), (1, 3, 1)],
    ],
)
def test_other_shapes_are_refused(shapes):
    with pytest.raises(LayerError, match="expected 1 x N x D, 1 x N x 4 D and 1 x N"):
        Runner('type: "LSTMUnit"', [np.zeros(shape) for shape in shapes], tops=2)
