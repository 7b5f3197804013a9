"""Layers of LiteFlowNet: what no case shows."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def test_the_gradient_of_an_exp_max_takes_the_maximum_as_a_number():
    x = np.array([[[1.0, 4.0], [3.0, 2.0]]], np.float32)
    runner = Runner('type: "ExpMax" expmax_param { scale: 2 }', [x])
    (top,) = runner.forward()
    np.testing.assert_allclose(top, [[[np.exp(-4), 1], [1, np.exp(-4)]]], rtol=1e-6)
    np.testing.assert_allclose(runner.backward([np.ones((1, 2, 2))])[0], 2 * top, rtol=1e-6)


@pytest.mark.parametrize(
    ("layer", "shape", "message"), [("Grid", (2, 3, 4), "N x C x H x W"), ("ExpMax", (3,), "N x C x")]
)
def test_axes_that_are_not_there(layer, shape, message):
    with pytest.raises(LayerError, match=message):
        Runner(f'type: "{layer}"', [np.zeros(shape)]).forward()
