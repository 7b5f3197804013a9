"""Permute against plain indexing."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize(
    "order, full",
    [((0, 2, 3, 1), (0, 2, 3, 1)), ((2, 0), (2, 0, 1, 3)), ((), (0, 1, 2, 3)), ((3,), (3, 0, 1, 2))],
)
def test_order(order, full):
    x = np.random.RandomState(1).standard_normal((2, 3, 4, 5)).astype(np.float32)
    params = " ".join(f"order: {axis}" for axis in order)
    runner = Runner(f'type: "Permute" permute_param {{ {params} }}', [x])
    (y,) = runner.forward()
    (diff,) = runner.backward([y * 3])
    assert y.shape == tuple(x.shape[axis] for axis in full)
    for at in np.ndindex(x.shape):
        assert y[tuple(at[axis] for axis in full)] == x[at]
    np.testing.assert_array_equal(diff, x * 3)


@pytest.mark.parametrize("order", [(1, 1), (0, 3)])
def test_axes_that_are_none(order):
    params = " ".join(f"order: {axis}" for axis in order)
    with pytest.raises(
        LayerError, match=r"expected axes of a bottom of shape \(2, 3, 4\), none of them twice"
    ):
        Runner(f'type: "Permute" permute_param {{ {params} }}', [np.zeros((2, 3, 4))])
