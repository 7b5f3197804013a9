"""MVN against plain numpy in float64."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("variance", [False, True])
@pytest.mark.parametrize("eps", [1e-9, 0.5])
def test_against_numpy(across, variance, eps, in_place):
    shape = (2, 3, 4, 5)
    x, diff = np.random.RandomState(3).standard_normal((2, *shape)).astype(np.float32)
    flags = f"across_channels: {str(across).lower()} normalize_variance: {str(variance).lower()} eps: {eps}"
    runner = Runner(f'type: "MVN" mvn_param {{ {flags} }}', [x], in_place=in_place)
    rows, seeds = (array.astype(float).reshape(2 if across else 6, -1) for array in (x, diff))
    centred = rows - rows.mean(1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(1, keepdims=True)) + eps if variance else 1
    y = centred / deviation
    np.testing.assert_allclose(runner.forward()[0].ravel(), y.ravel(), rtol=1e-5, atol=1e-6)
    want = seeds - seeds.mean(1, keepdims=True)
    if variance:  # as Caffe has it, eps is no part of the derivative
        want = (want - y * (seeds * y).mean(1, keepdims=True)) / deviation
    np.testing.assert_allclose(runner.backward([diff])[0].ravel(), want.ravel(), rtol=1e-4, atol=1e-5)


def test_the_top_has_four_axes():
    x = np.array([[1, 2, 6], [4, 0, 5]], np.float32)
    (y,) = Runner('type: "MVN" mvn_param { across_channels: true normalize_variance: false }', [x]).forward()
    assert y.shape == (2, 3, 1, 1)
    assert y.ravel().tolist() == [-2, -1, 3, 1, -3, 2]


def test_too_many_axes():
    with pytest.raises(LayerError, match="expected at most 4 axes"):
        Runner('type: "MVN"', [np.zeros((2, 3, 1, 4, 5))])
