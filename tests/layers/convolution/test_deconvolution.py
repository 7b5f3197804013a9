"""Deconvolution against every pixel adding its filters, one after the other."""

import numpy as np
import pytest

from caffe_compat.errors import CaffeCompatError, LayerError
from caffe_compat.layers.convolution import im2col_convolution
from layers.harness import Runner

# parameters as text, bottom shape, top shape
CASES = [
    ("num_output: 4 kernel_size: 3", (2, 3, 5, 6), (2, 4, 7, 8)),
    ("num_output: 4 kernel_size: 3 stride: 2", (2, 3, 5, 6), (2, 4, 11, 13)),
    ("num_output: 4 kernel_size: 4 stride: 2 pad: 1 bias_term: false", (2, 3, 5, 6), (2, 4, 10, 12)),
    ("num_output: 6 kernel_size: 3 stride: 2 group: 3", (2, 9, 4, 5), (2, 6, 9, 11)),
    ("num_output: 3 kernel_size: 4 stride: 2 pad: 1 group: 3", (2, 3, 4, 5), (2, 3, 8, 10)),
    ("num_output: 4 kernel_size: 3 dilation: 2 pad: 1", (2, 3, 4, 6), (2, 4, 6, 8)),
    ("num_output: 5 kernel_size: 1", (2, 3, 4, 6), (2, 5, 4, 6)),
    ("num_output: 5 kernel_size: 1 stride: 3", (2, 3, 4, 6), (2, 5, 10, 16)),
    (
        "num_output: 5 kernel_h: 2 kernel_w: 5 stride_h: 3 stride_w: 1 pad_h: 0 pad_w: 2",
        (2, 3, 4, 6),
        (2, 5, 11, 6),
    ),
    ("num_output: 4 kernel_size: 3 stride: 2 pad: 1", (2, 3, 7), (2, 4, 13)),
    (
        "num_output: 4 kernel_size: 2 kernel_size: 3 kernel_size: 1 stride: 2 stride: 1 stride: 3 "
        "pad: 1 pad: 2 pad: 0",
        (2, 3, 4, 5, 2),
        (2, 4, 6, 3, 4),
    ),
]


def layer(params):
    return f'type: "Deconvolution" convolution_param {{ {params} }}'


def naive(param, x, weights, bias, seed):
    """The top, and the gradients of bottom, filters and bias for the top diff `seed`, in float64."""
    axes = x.ndim - 2

    def sizes(field, default):
        if param.HasField("kernel_h") and field != "dilation":
            prefix = "kernel" if field == "kernel_size" else field
            return getattr(param, f"{prefix}_h"), getattr(param, f"{prefix}_w")
        values = list(getattr(param, field)) or [default]
        return values * axes if len(values) == 1 else values

    stride, pad, dilation = sizes("stride", 1), sizes("pad", 0), sizes("dilation", 1)
    top, diff, weights_diff = np.zeros(seed.shape), np.zeros(x.shape), np.zeros(weights.shape)
    top += bias.reshape(-1, *[1] * axes)
    per_group = weights.shape[1]
    for n, c, *place in np.ndindex(x.shape):
        first = c // (x.shape[1] // param.group) * per_group
        for m, *element in np.ndindex(weights.shape[1:]):
            at = [
                p * s - q + e * d for p, s, q, e, d in zip(place, stride, pad, element, dilation, strict=True)
            ]
            if all(0 <= a < size for a, size in zip(at, seed.shape[2:], strict=True)):
                there, here, weight = (n, first + m, *at), (n, c, *place), (c, m, *element)
                top[there] += x[here] * weights[weight]
                diff[here] += seed[there] * weights[weight]
                weights_diff[weight] += seed[there] * x[here]
    return top, diff, weights_diff, seed.sum(axis=(0, *range(2, seed.ndim)))


def close(got, want):
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * abs(want).max())


@pytest.mark.parametrize("columns", [im2col_convolution.COLUMNS, 1])
@pytest.mark.parametrize("params, shape, top_shape", CASES)
def test_against_naive(monkeypatch, params, shape, top_shape, columns):
    monkeypatch.setattr(im2col_convolution, "COLUMNS", columns)  # 1: one row at a time
    rng = np.random.RandomState(1)
    x = rng.standard_normal(shape).astype(np.float32)
    runner = Runner(layer(params), [x])
    for blob in runner.layer.blobs:
        blob.data[...] = rng.standard_normal(blob.shape)
        blob.diff[...] = 2
    weights, *bias = (blob.data.astype(np.float64) for blob in runner.layer.blobs)
    (top,) = runner.forward()
    assert top.shape == top_shape
    seed = rng.standard_normal(top.shape).astype(np.float32)
    (diff,) = runner.backward([seed])
    param = runner.layer.layer_param.convolution_param
    want = naive(param, x, weights, bias[0] if bias else np.zeros(param.num_output), seed)
    close(top, want[0])
    close(diff, want[1])
    for blob, gradient in zip(runner.layer.blobs, want[2:], strict=False):
        close(blob.diff, gradient + 2)


def test_a_bilinear_filler_upsamples():
    params = (
        "num_output: 2 group: 2 kernel_size: 4 stride: 2 pad: 1 bias_term: false "
        "weight_filler { type: 'bilinear' }"
    )
    x = np.arange(2 * 3 * 5).reshape(1, 2, 3, 5)
    (top,) = Runner(layer(params), [x]).forward()
    assert top.shape == (1, 2, 6, 10)
    at = np.clip((np.arange(10) - 0.5) / 2, 0, 4)[1:-1]  # away from the edge, which fades to 0
    np.testing.assert_allclose(top[0, 1, 3, 1:-1], 0.75 * (20 + at) + 0.25 * (25 + at), rtol=1e-6)


@pytest.mark.parametrize(
    "params, shape, message",
    [
        ("num_output: 4", (1, 2, 5, 6), "kernel_size is 0"),
        ("num_output: 3 kernel_size: 3 group: 2", (1, 4, 5, 6), "multiples of group 2"),
        ("num_output: 4 kernel_size: 3 pad: 4", (1, 2, 3, 6), r"a kernel of \(3, 3\) .* and pad \(4, 4\)"),
    ],
)
def test_wrong_params(params, shape, message):
    with pytest.raises(LayerError, match=message):
        Runner(layer(params), [np.zeros(shape)])


def test_huge_params_are_refused_before_memory_is_taken():
    for params in (
        "num_output: 4294967295 kernel_size: 3",
        "num_output: 4 kernel_size: 3 stride: 4294967295",
    ):
        with pytest.raises(CaffeCompatError):
            Runner(layer(params), [np.zeros((1, 2, 5, 6))])
