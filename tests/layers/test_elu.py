"""ELU against plain Python."""

import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(("params", "alpha"), [("", 1), ("elu_param { alpha: 0.3 }", 0.3)])
def test_against_plain_python(params, alpha, in_place):
    x, diff = (np.random.RandomState(3).standard_normal((2, 3, 2, 5)) * 4).astype(np.float32)
    runner = Runner(f'type: "ELU" {params}', [x], in_place=in_place)
    want = np.array([v if v > 0 else alpha * (math.exp(v) - 1) for v in map(float, x.flat)]).reshape(x.shape)
    slope = np.array([1 if v > 0 else alpha * math.exp(v) for v in map(float, x.flat)]).reshape(x.shape)
    np.testing.assert_allclose(runner.forward()[0], want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(runner.backward([diff])[0], diff * slope, rtol=1e-5, atol=1e-6)


def test_a_negative_alpha_does_not_work_in_place():
    layer = 'type: "ELU" elu_param { alpha: -2 }'
    assert Runner(layer, [np.array([[3.0, 0]])]).forward()[0].tolist() == [[3, 0]]
    with pytest.raises(LayerError, match="alpha -2 is below 0, which does not work in place"):
        Runner(layer, [np.zeros((2, 3))], in_place=True)
