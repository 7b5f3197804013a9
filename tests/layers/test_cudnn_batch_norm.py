"""CuDNNBatchNorm: what it remembers, and what frozen means."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import TEST
from layers.harness import Runner

X = np.random.default_rng(5).standard_normal((3, 2, 4, 5)) * [[[[2.0]], [[5.0]]]] + 1


def layer(params: str, phase: int = 0) -> Runner:
    text = f"type: 'CuDNNBatchNorm' cudnn_batch_norm_param {{ scale_filler {{ value: 1 }} {params} }}"
    return Runner(text, [X], phase=phase, dtype=np.float64)


def test_the_unbiased_variance_is_remembered():
    runner = layer("momentum: 0.75")
    assert [blob.data.ravel().tolist() for blob in runner.layer.blobs[2:]] == [[0, 0], [0, 0]]
    runner.forward()
    mean, variance = (blob.data.ravel() for blob in runner.layer.blobs[2:])
    np.testing.assert_allclose(mean, X.mean(axis=(0, 2, 3)) / 4)
    np.testing.assert_allclose(variance, X.var(axis=(0, 2, 3), ddof=1) / 4)


def test_testing_goes_by_the_averages_and_eps_is_not_too_small():
    runner = layer("eps: 1e-9", TEST)
    (top,) = runner.forward()
    np.testing.assert_allclose(top, X / np.sqrt(1e-5), rtol=1e-6)


def test_frozen_params_are_not_learned():
    runner = layer("frozen: true eps: 0.25")
    assert [spec.lr_mult for spec in runner.layer.layer_param.param] == [0, 0, 0, 0]
    (top,) = runner.forward()
    np.testing.assert_allclose(top, X / np.sqrt(1.25))
    (diff,) = runner.backward([X])
    np.testing.assert_allclose(diff, X / np.sqrt(1.25))


def test_without_a_scale_filler_the_scale_is_0():
    runner = Runner("type: 'CuDNNBatchNorm'", [X])
    assert not runner.forward()[0].any()
