"""Concat against plain indexing."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def concat(params: str, bottoms: list) -> Runner:
    return Runner(f'type: "Concat" concat_param {{ {params} }}', bottoms)


@pytest.mark.parametrize(
    ("params", "axis"), [("", 1), ("axis: 0", 0), ("axis: 2", 2), ("axis: -1", 3), ("concat_dim: 1", 1)]
)
@pytest.mark.parametrize("sizes", [(2,), (2, 5), (1, 4, 3)])
def test_every_element_comes_from_its_bottom_and_its_gradient_goes_back(params, axis, sizes):
    rng = np.random.RandomState(1)
    shapes = [[size if i == axis else dim for i, dim in enumerate((2, 3, 4, 5))] for size in sizes]
    xs = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    runner = concat(params, xs)
    (y,) = runner.forward()
    assert y.shape[axis] == sum(sizes)
    seed = rng.standard_normal(y.shape).astype(np.float32)
    diffs = runner.backward([seed])
    source = [(b, k) for b, size in enumerate(sizes) for k in range(size)]
    for at in np.ndindex(y.shape):
        b, k = source[at[axis]]
        there = (*at[:axis], k, *at[axis + 1 :])
        assert y[at] == xs[b][there]
        assert diffs[b][there] == seed[at]


@pytest.mark.parametrize(
    ("params", "shapes", "message"),
    [
        ("axis: 1 concat_dim: 1", [(2, 3)], "both axis and the legacy concat_dim"),
        ("axis: 2", [(2, 3)], r"axis 2 is out of range for a bottom of shape \(2, 3\)"),
        ("concat_dim: 4294967295", [(2, 3)], "axis 4294967295 is out of range"),
        ("", [(2, 3, 4), (2, 5, 6)], r"bottom\[1\] has the shape \(2, 5, 6\), .*differ in axis 1 only"),
        ("", [(2, 3, 4), (2, 3)], "may differ in axis 1 only"),
    ],
)
def test_bad_params_and_shapes_are_refused(params, shapes, message):
    with pytest.raises(LayerError, match=message):
        concat(params, [np.ones(shape) for shape in shapes])
