"""Crop against plain indexing."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def run(params, x, size):
    return Runner(f'type: "Crop" crop_param {{ {params} }}', [x, np.full(size, 7)])


@pytest.mark.parametrize(
    ("params", "axis", "offsets", "size"),
    [
        ("", 2, (0, 0), (9, 9, 3, 4)),
        ("offset: 2", 2, (2, 2), (9, 9, 3, 4)),
        ("offset: 1 offset: 3", 2, (1, 3), (2, 3, 5, 4)),
        ("axis: 1 offset: 2 offset: 0 offset: 1", 1, (2, 0, 1), (9, 1, 6, 4)),
        ("axis: -1 offset: 3", 3, (3,), (1, 1, 1, 5)),
        ("axis: 0", 0, (0, 0, 0, 0), (1, 2, 3, 4)),
        ("", 2, (0, 0), (9, 9, 6, 8, 11)),
    ],
)
def test_the_part_and_its_gradient(params, axis, offsets, size):
    rng = np.random.RandomState(1)
    x = rng.standard_normal((2, 3, 6, 8)).astype(np.float32)
    runner = run(params, x, size)
    (y,) = runner.forward()
    assert y.shape == (*x.shape[:axis], *size[axis:4])
    seed = rng.standard_normal(y.shape).astype(np.float32)
    diff, size_diff = runner.backward([seed])
    want = np.zeros(x.shape, np.float32)
    for at in np.ndindex(y.shape):
        there = (*at[:axis], *(a + offset for a, offset in zip(at[axis:], offsets, strict=True)))
        assert y[at] == x[there]
        want[there] = seed[at]
    np.testing.assert_array_equal(diff, want)
    assert not size_diff.any()


@pytest.mark.parametrize(
    ("params", "size", "message"),
    [
        (
            "",
            (2, 3, 7, 8),
            r"offsets \[0, 0\] on, the size of bottom\[1\], \(2, 3, 7, 8\), does not lie within",
        ),
        ("offset: 1", (2, 3, 5, 8), "does not lie within"),
        ("offset: 4294967295", (2, 3, 1, 1), "does not lie within"),
        ("offset: 1 offset: 1 offset: 1", (2, 3, 1, 1), "offset is given 3 times; .* 2 axes"),
        ("axis: 4", (2, 3, 1, 1), "axis 4 is out of range"),
        ("", (3, 4), r"\(3, 4\): not as many axes as bottom\[0\]"),
    ],
)
def test_what_does_not_fit_is_refused(params, size, message):
    with pytest.raises(LayerError, match=message):
        run(params, np.zeros((2, 3, 6, 8)), size)
