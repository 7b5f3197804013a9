"""Tile against plain indexing."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize(("params", "axis"), [("", 1), ("axis: 0", 0), ("axis: -1", 2)])
@pytest.mark.parametrize("tiles", [1, 4])
def test_copies_and_the_sum_of_their_gradients(params, axis, tiles):
    rng = np.random.RandomState(1)
    x = rng.standard_normal((2, 3, 5)).astype(np.float32)
    runner = Runner(f'type: "Tile" tile_param {{ {params} tiles: {tiles} }}', [x])
    (y,) = runner.forward()
    seed = rng.standard_normal(y.shape).astype(np.float32)
    (diff,) = runner.backward([seed])
    assert y.shape[axis] == tiles * x.shape[axis]
    want = np.zeros(x.shape)
    for at in np.ndindex(y.shape):
        there = (*at[:axis], at[axis] % x.shape[axis], *at[axis + 1 :])
        assert y[at] == x[there]
        want[there] += seed[at]
    np.testing.assert_allclose(diff, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("params", "message"),
    [("", "tiles is 0; say how many"), ("tiles: -2", "tiles is -2"), ("tiles: 2 axis: 3", "axis 3")],
)
def test_bad_params_are_refused(params, message):
    with pytest.raises(LayerError, match=message):
        Runner(f'type: "Tile" tile_param {{ {params} }}', [np.zeros((2, 3, 5))])
