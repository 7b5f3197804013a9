"""InnerProduct against loops."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.blob import Blob
from caffe_compat.errors import LayerError
from caffe_compat.layers.inner_product import InnerProduct
from layers.harness import Runner, parse


def layer(params):
    return f'type: "InnerProduct" inner_product_param {{ {params} }}'


def naive(x, weights, bias, seed):
    """x: M x K, weights: N x K, seed: M x N. The top and the gradients of x, weights and bias."""
    top, x_diff, weights_diff = np.zeros(seed.shape), np.zeros(x.shape), np.zeros(weights.shape)
    for m in range(len(x)):
        for n in range(len(weights)):
            top[m, n] = (x[m] * weights[n]).sum() + bias[n]
            x_diff[m] += seed[m, n] * weights[n]
            weights_diff[n] += seed[m, n] * x[m]
    return top, x_diff, weights_diff, seed.sum(axis=0)


@pytest.mark.parametrize(
    "params, shape, axis",
    [
        ("num_output: 7", (4, 3, 2, 5), 1),
        ("num_output: 7 bias_term: false", (4, 30), 1),
        ("num_output: 7 axis: 2", (4, 3, 2, 5), 2),
        ("num_output: 7 axis: -1", (4, 3, 2, 5), 3),
        ("num_output: 7 axis: 0", (4, 3), 0),
        ("num_output: 1", (6, 5), 1),
        ("num_output: 7 transpose: true", (4, 3, 5), 1),
        ("num_output: 7 transpose: true axis: -2 bias_term: false", (4, 3, 2, 5), 2),
    ],
)
def test_against_naive(params, shape, axis):
    rng = np.random.RandomState(1)
    x = rng.standard_normal(shape).astype(np.float32)
    runner = Runner(layer(params), [x])
    for blob in runner.layer.blobs:
        blob.data[...] = rng.standard_normal(blob.shape)
        blob.diff[...] = 2
    (top,) = runner.forward()
    seed = rng.standard_normal(top.shape).astype(np.float32)
    (diff,) = runner.backward([seed])

    transposed = "transpose" in params
    weights, *bias = (blob.data.astype(np.float64) for blob in runner.layer.blobs)
    weights = weights.T if transposed else weights
    outputs = len(weights)
    assert top.shape == (*shape[:axis], outputs)
    rows = x.reshape(int(np.prod(shape[:axis])), -1).astype(np.float64)
    want = naive(rows, weights, bias[0] if bias else np.zeros(outputs), seed.reshape(-1, outputs))
    np.testing.assert_allclose(top.reshape(-1, outputs), want[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(diff.reshape(rows.shape), want[1], rtol=1e-5, atol=1e-5)
    gradient = want[2].T if transposed else want[2]
    np.testing.assert_allclose(runner.layer.blobs[0].diff, gradient + 2, rtol=1e-5, atol=1e-5)
    if bias:
        np.testing.assert_allclose(runner.layer.blobs[1].diff, want[3] + 2, rtol=1e-5, atol=1e-5)


def test_no_rows():
    runner = Runner(layer("num_output: 7"), [np.zeros((0, 3, 2))])
    (top,) = runner.forward()
    assert top.shape == (0, 7)
    (diff,) = runner.backward([np.zeros((0, 7))])
    assert diff.shape == (0, 3, 2) and not runner.layer.blobs[0].diff.any()


def test_frozen_params_take_no_gradient():
    runner = Runner(layer("num_output: 4"), [np.ones((2, 3))])
    runner.layer.param_propagate_down = [False, False]
    runner.forward()
    runner.backward([np.ones((2, 4))])
    assert not any(blob.has_diff for blob in runner.layer.blobs)


def set_up(params, *shapes):
    """A layer that has params of these shapes before its setup, all ones."""
    net_layer = InnerProduct(parse(layer(params)))
    for shape in shapes:
        net_layer.blobs.add_blob(*shape).data[...] = 1
    bottom, top = Blob((2, 3)), Blob()
    net_layer.setup([bottom], [top])
    return net_layer


def test_params_that_are_there_are_kept():
    filler = "num_output: 4 weight_filler { type: 'constant' value: 5 }"
    assert (set_up(filler).blobs[0].data == 5).all()
    kept = set_up(filler, (4, 3), (4,))
    assert (kept.blobs[0].data == 1).all() and (kept.blobs[1].data == 1).all()


@pytest.mark.parametrize("shapes", [[(4, 3)], [(3, 4), (4,)], [(4, 3), (4,), (1,)], [(4, 3), (1, 4)]])
def test_params_that_do_not_fit(shapes):
    with pytest.raises(LayerError) as error:
        set_up("num_output: 4", *shapes)
    assert f"has params of the shapes {shapes}, expected [(4, 3), (4,)]" in str(error.value)


def test_wrong_params():
    with pytest.raises(LayerError, match="num_output is missing"):
        Runner(layer(""), [np.zeros((2, 3))])
    with pytest.raises(LayerError, match="axis 2 is out of range"):
        Runner(layer("num_output: 4 axis: 2"), [np.zeros((2, 3))])
    runner = Runner(layer("num_output: 4"), [np.zeros((2, 3, 5))])
    with pytest.raises(LayerError, match=r"\(2, 3, 6\) has 18 elements from axis 1 on; the weights take 15"):
        runner.feed([np.zeros((2, 3, 6))])
