"""Filter against plain lists of items."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("selector", [(0, 1, 0, 1, 1), (0, 0, 0, 0, -0.5), (1, 1, 1, 1, 1), (0, 0, 0, 0, 0)])
@pytest.mark.parametrize("shape", [(5,), (5, 1, 1)])
def test_selected_items_and_their_gradients(selector, shape):
    rng = np.random.RandomState(1)
    xs = [rng.standard_normal(s).astype(np.float32) for s in [(5, 3, 2), (5,)]]
    runner = Runner('type: "Filter"', [*xs, np.reshape(selector, shape)], tops=2)
    tops = runner.forward()
    kept = [i for i in range(5) if selector[i]]
    seeds = [rng.standard_normal(top.shape).astype(np.float32) for top in tops]
    diffs = runner.backward(seeds)
    assert diffs[2] is None
    for x, top, seed, diff in zip(xs, tops, seeds, diffs, strict=False):
        assert top.shape == (len(kept), *x.shape[1:])
        for i in range(5):
            if i in kept:
                np.testing.assert_array_equal(top[kept.index(i)], x[i])
                np.testing.assert_array_equal(diff[i], seed[kept.index(i)])
            else:
                assert not diff[i].any()


def test_another_selection_gives_other_shapes():
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    runner = Runner('type: "Filter"', [x, np.array([1, 0, 0, 0])])
    assert runner.forward()[0].tolist() == [[0, 1]]
    runner.feed([x, np.array([0, 1, 1, 1])])
    assert runner.forward()[0].tolist() == [[2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize(
    ("shapes", "tops", "message"),
    [
        ([(4, 2), (4, 3), (4,)], 1, "has 1 tops, expected one for each bottom but the last: 2"),
        ([(4, 2), (4, 2)], 1, r"the selector has the shape \(4, 2\)"),
        ([(4, 2), (1, 4)], 1, r"the selector has the shape \(1, 4\)"),
        ([(4, 2), (3,)], 1, r"a bottom has the shape \(4, 2\), the selector \(3,\)"),
    ],
)
def test_what_does_not_fit_is_refused(shapes, tops, message):
    with pytest.raises(LayerError, match=message):
        Runner('type: "Filter"', [np.zeros(shape) for shape in shapes], tops=tops)
