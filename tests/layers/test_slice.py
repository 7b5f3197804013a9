"""Slice against plain indexing."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def run(params, x, tops):
    return Runner(f'type: "Slice" slice_param {{ {params} }}', [x], tops=tops)


@pytest.mark.parametrize(
    ("params", "axis", "sizes"),
    [
        ("", 1, (2, 2, 2)),
        ("", 1, (6,)),
        ("slice_point: 1 slice_point: 4", 1, (1, 3, 2)),
        ("axis: 0", 0, (1, 1, 1)),
        ("axis: -1 slice_point: 3", 3, (3, 2)),
        ("slice_dim: 2 slice_point: 3", 2, (3, 1)),
    ],
)
def test_every_element_goes_to_its_top_and_its_gradient_comes_back(params, axis, sizes):
    rng = np.random.RandomState(1)
    x = rng.standard_normal((3, 6, 4, 5)).astype(np.float32)
    runner = run(params, x, len(sizes))
    tops = runner.forward()
    assert [top.shape[axis] for top in tops] == list(sizes)
    seeds = [rng.standard_normal(top.shape).astype(np.float32) for top in tops]
    (diff,) = runner.backward(seeds)
    place = [(t, k) for t, size in enumerate(sizes) for k in range(size)]
    for at in np.ndindex(x.shape):
        t, k = place[at[axis]]
        there = (*at[:axis], k, *at[axis + 1 :])
        assert tops[t][there] == x[at]
        assert diff[at] == seeds[t][there]


@pytest.mark.parametrize(
    ("params", "tops", "message"),
    [
        ("axis: 1 slice_dim: 1", 2, "both axis and the legacy slice_dim"),
        ("axis: 4", 2, "axis 4 is out of range"),
        ("slice_dim: 4294967295", 2, "axis 4294967295 is out of range"),
        ("", 4, r"axis 1 of the shape \(3, 6, 4, 5\) cannot be cut into 4 equal parts"),
        ("slice_point: 2", 3, r"slice_points \[2\] do not cut axis 1 .* into 3 parts"),
        ("slice_point: 2 slice_point: 2", 3, "do not cut"),
        ("slice_point: 4 slice_point: 2", 3, "do not cut"),
        ("slice_point: 0", 2, "do not cut"),
        ("slice_point: 6", 2, "do not cut"),
        ("slice_point: 7", 2, "do not cut"),
    ],
)
def test_bad_params_are_refused(params, tops, message):
    with pytest.raises(LayerError, match=message):
        run(params, np.zeros((3, 6, 4, 5)), tops)
