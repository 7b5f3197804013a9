"""ReLU against plain Python."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def naive(x, diff, slope):
    y, x_diff = np.zeros_like(x), np.zeros_like(x)
    for i in np.ndindex(x.shape):
        y[i] = x[i] if x[i] > 0 else slope * x[i]
        x_diff[i] = diff[i] * (1 if x[i] > 0 else slope)
    return y, x_diff


@pytest.mark.parametrize("slope", [0, 0.1, -0.5])
def test_against_plain_python(slope):
    rng = np.random.RandomState(1)
    x, diff = rng.standard_normal((2, 2, 3, 5, 4)).astype(np.float32)
    x[1, 0, :2] = 0
    runner = Runner(f'type: "ReLU" relu_param {{ negative_slope: {slope} }}', [x])
    want, want_diff = naive(x, diff, slope)
    np.testing.assert_allclose(runner.forward()[0], want, rtol=1e-6)
    np.testing.assert_allclose(runner.backward([diff])[0], want_diff, rtol=1e-6)


def test_in_place_overwrites_the_bottom():
    runner = Runner('type: "ReLU"', [np.array([[-2.0, 0, 3]])], in_place=True)
    runner.forward()
    assert runner.bottom[0].data.tolist() == [[0, 0, 3]]
    assert runner.backward([np.array([[5.0, 6, 7]])])[0].tolist() == [[0, 0, 7]]


def test_nan_stays_visible():
    assert np.isnan(Runner('type: "ReLU"', [np.array([np.nan, 1])]).forward()[0]).tolist() == [True, False]


def test_a_negative_slope_below_zero_does_not_work_in_place():
    layer = 'type: "ReLU" relu_param { negative_slope: -0.5 }'
    with pytest.raises(LayerError, match=r"negative_slope -0.5 is below 0.*rename the top"):
        Runner(layer, [np.ones((2, 3))], in_place=True)
