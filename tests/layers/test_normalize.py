"""Normalize against plain loops."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_against_plain_loops(across, shared):
    rng = np.random.RandomState(1)
    x = rng.standard_normal((2, 3, 4, 5))
    params = f"across_spatial: {across} channel_shared: {shared} eps: 0.5".lower()
    params += " scale_filler { type: 'constant' value: 20 }"
    runner = Runner(f'type: "Normalize" norm_param {{ {params} }}', [x], dtype=np.float64)
    assert runner.layer.blobs[0].shape == (() if shared else (3,))
    assert (runner.layer.blobs[0].data == 20).all()
    scale = np.array([2.0] * 3 if shared else [2.0, 3.0, 5.0])
    runner.layer.blobs[0].data[...] = scale[0] if shared else scale
    (y,) = runner.forward()
    for n, c, h, w in np.ndindex(x.shape):
        squares = (x[n] ** 2).sum() if across else sum(x[n, k, h, w] ** 2 for k in range(3))
        np.testing.assert_allclose(
            y[n, c, h, w], scale[c] * x[n, c, h, w] / (squares + 0.5) ** 0.5, rtol=1e-9
        )


def test_scale_is_one_and_eps_small_unless_said():
    x = np.random.RandomState(1).standard_normal((2, 3, 4)).astype(np.float32)
    (y,) = Runner('type: "Normalize"', [x]).forward()
    np.testing.assert_allclose((y**2).sum(axis=(1, 2)), 1, rtol=1e-5)


def test_needs_channels():
    with pytest.raises(LayerError, match=r"the bottom has the shape \(4,\); expected N x C"):
        Runner('type: "Normalize"', [np.zeros(4)])
