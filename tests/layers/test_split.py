"""Split: shared data, summed gradients."""

import numpy as np
import pytest

from layers.harness import Runner


@pytest.mark.parametrize("tops", [1, 2, 4])
def test_tops_share_the_data_and_the_gradients_are_summed(tops):
    rng = np.random.RandomState(1)
    x, diffs = rng.standard_normal((2, 3, 5)), rng.standard_normal((tops, 2, 3, 5)).astype(np.float32)
    runner = Runner('type: "Split"', [x], tops=tops)
    for top in runner.forward():
        np.testing.assert_array_equal(top, x.astype(np.float32))
    assert all(np.shares_memory(top.data, runner.bottom[0].data) for top in runner.top)
    np.testing.assert_allclose(runner.backward(list(diffs))[0], sum(diffs), rtol=1e-6)
    for top, diff in zip(runner.top, diffs, strict=True):
        np.testing.assert_array_equal(top.diff, diff)
