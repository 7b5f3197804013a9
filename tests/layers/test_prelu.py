"""PReLU against plain loops, its filler, and bottoms that do not fit."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (4, 7), (2, 3, 5)])
def test_against_plain_loops(shape, shared, in_place):
    rng = np.random.RandomState(2)
    x, diff = rng.standard_normal((2, *shape)).astype(np.float32)
    x.flat[1] = 0  # takes the slope's side
    runner = Runner(
        f'type: "PReLU" prelu_param {{ channel_shared: {str(shared).lower()} }}', [x], in_place=in_place
    )
    slopes = runner.layer.blobs[0]
    assert slopes.shape == (() if shared else shape[1:2])
    assert (slopes.data == 0.25).all()
    slopes.data[...] = rng.standard_normal(slopes.shape)
    top, x_diff = np.zeros(shape), np.zeros(shape)
    slope_diff = np.zeros(shape[1])
    for i in np.ndindex(*shape):
        slope = float(slopes.data if shared else slopes.data[i[1]])
        top[i] = x[i] if x[i] > 0 else slope * x[i]
        x_diff[i] = diff[i] * (1 if x[i] > 0 else slope)
        slope_diff[i[1]] += diff[i] * min(float(x[i]), 0)
    np.testing.assert_allclose(runner.forward()[0], top, rtol=1e-6)
    slopes.diff[...] = 3
    np.testing.assert_allclose(runner.backward([diff])[0], x_diff, rtol=1e-6)
    np.testing.assert_allclose(slopes.diff, 3 + (slope_diff.sum() if shared else slope_diff), rtol=1e-5)


def test_filler():
    layer = 'type: "PReLU" prelu_param { filler { type: "constant" value: 0.125 } }'
    assert Runner(layer, [np.array([[-8.0, 8, -16]])]).forward()[0].tolist() == [[-1, 8, -2]]


def test_bottoms_that_do_not_fit():
    with pytest.raises(LayerError, match="expected two axes at least"):
        Runner('type: "PReLU"', [np.zeros(4)])
    with pytest.raises(LayerError, match="has 4 channels, there are 3 slopes"):
        Runner('type: "PReLU"', [np.zeros((2, 3, 5))]).feed([np.zeros((2, 4, 5))])
