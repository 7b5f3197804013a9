"""LRN against its definition, neighbour by neighbour."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.kernels.lrn import BLOCK
from layers.harness import Runner

PARAMS = [
    "local_size: 5 alpha: 0.0005 beta: 0.75 k: 2",
    "local_size: 3 alpha: 2",
    "local_size: 7 alpha: 0.5 beta: 0.6 k: 1.5",
    "local_size: 1 alpha: 0.5 beta: 2",
    "local_size: 5 alpha: 0",
    "local_size: 5 beta: 0",
]


def layer(params):
    return f'type: "LRN" lrn_param {{ {params} }}'


def neighbours(param, shape):
    """A list of index lists: which elements of the flat array are in the sum of each element."""
    _, c, h, w = shape
    reach = param.local_size // 2
    for i, j, y, x in np.ndindex(shape):
        if param.norm_region == 0:
            yield [((i * c + q) * h + y) * w + x for q in range(max(j - reach, 0), min(j + reach + 1, c))]
        else:
            yield [
                ((i * c + j) * h + v) * w + u
                for v in range(max(y - reach, 0), min(y + reach + 1, h))
                for u in range(max(x - reach, 0), min(x + reach + 1, w))
            ]


def naive(param, x, seed):
    """(top, bottom diff) in float64: the derivative of each top by each of its neighbours, summed up."""
    flat, top_diff = x.astype(np.float64).ravel(), seed.astype(np.float64).ravel()
    count = param.local_size if param.norm_region == 0 else param.local_size**2
    k = param.k if param.norm_region == 0 else 1
    top, diff = np.zeros(flat.shape), np.zeros(flat.shape)
    for i, near in enumerate(neighbours(param, x.shape)):
        s = k + param.alpha / count * (flat[near] ** 2).sum()
        top[i] = flat[i] * s**-param.beta
        diff[i] += top_diff[i] * s**-param.beta
        diff[near] -= (
            top_diff[i] * flat[i] * param.beta * s ** (-param.beta - 1) * 2 * param.alpha / count * flat[near]
        )
    return top.reshape(x.shape), diff.reshape(x.shape)


@pytest.mark.parametrize("region", ["ACROSS_CHANNELS", "WITHIN_CHANNEL"])
@pytest.mark.parametrize("params", PARAMS)
@pytest.mark.parametrize("shape", [(2, 7, 4, 5), (3, 2, 9, 1)])
def test_against_naive(params, region, shape):
    rng = np.random.RandomState(1)
    x, seed = (rng.standard_normal((2, *shape)) * 3).astype(np.float32)
    runner = Runner(layer(f"{params} norm_region: {region}"), [x])
    (top,), (diff,) = runner.forward(), runner.backward([seed])
    want_top, want_diff = naive(runner.layer.layer_param.lrn_param, x, seed)
    np.testing.assert_allclose(top, want_top, rtol=2e-6)
    np.testing.assert_allclose(diff, want_diff, rtol=0, atol=2e-6 * abs(want_diff).max())


def test_more_pixels_than_a_block():
    rng = np.random.RandomState(1)
    x, seed = (rng.standard_normal((2, 2, 3, 1, 2 * BLOCK + 5)) * 3).astype(np.float32)
    whole = Runner(layer(PARAMS[0]), [x])
    (top,), (diff,) = whole.forward(), whole.backward([seed])
    want_top, want_diff = naive(whole.layer.layer_param.lrn_param, x, seed)
    np.testing.assert_allclose(top, want_top, rtol=2e-6)
    np.testing.assert_allclose(diff, want_diff, rtol=0, atol=2e-6 * abs(want_diff).max())


def test_large_values_keep_their_precision():
    x = np.zeros((1, 9, 1, 1), np.float32)
    x[0, 0], x[0, 8] = 3000, 2  # a sum that slides along would still carry a rest of 3000^2
    runner = Runner(layer("local_size: 5 alpha: 1 beta: 0.75"), [x])
    want, _ = naive(runner.layer.layer_param.lrn_param, x, x)
    np.testing.assert_allclose(runner.forward()[0], want, rtol=1e-6)


def test_wrong_params():
    with pytest.raises(LayerError, match="local_size is 4; it must be odd"):
        Runner(layer("local_size: 4"), [np.zeros((2, 3, 4, 5))])
    with pytest.raises(LayerError, match=r"\(2, 3, 4\), expected 4 axes"):
        Runner(layer(""), [np.zeros((2, 3, 4))])
