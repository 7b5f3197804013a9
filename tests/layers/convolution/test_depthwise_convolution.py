"""DepthwiseConvolution: plain loops, and the numbers of Convolution."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.rng import set_random_seed
from layers.harness import Runner


def naive(x, filters, bias, stride, pad, dilation):
    """The top, one product at a time; what lies outside the bottom is 0."""
    kernel = filters.shape[2:]
    size = [(x.shape[2 + a] + 2 * pad[a] - dilation * (kernel[a] - 1) - 1) // stride + 1 for a in range(2)]
    top = np.zeros((*x.shape[:2], *size))
    for n, c, h, w in np.ndindex(top.shape):
        top[n, c, h, w] = bias[c]
        for i, j in np.ndindex(kernel):
            y, z = h * stride - pad[0] + i * dilation, w * stride - pad[1] + j * dilation
            if 0 <= y < x.shape[2] and 0 <= z < x.shape[3]:
                top[n, c, h, w] += filters[c, 0, i, j] * x[n, c, y, z]
    return top


@pytest.mark.parametrize(
    "params, stride, pad, dilation, bias",
    [
        ("kernel_size: 3 pad: 1", 1, (1, 1), 1, True),
        ("kernel_size: 3 pad: 1 stride: 2", 2, (1, 1), 1, True),
        ("kernel_h: 2 kernel_w: 4 pad_h: 0 pad_w: 3 dilation: 2", 1, (0, 3), 2, True),
        ("kernel_size: 1 stride: 3", 3, (0, 0), 1, True),
        ("kernel_size: 5 pad: 4 bias_term: false", 1, (4, 4), 1, False),
    ],
)
def test_plain_loops_and_convolution(params, stride, pad, dilation, bias):
    rng = np.random.RandomState(7)
    x = rng.standard_normal((2, 6, 9, 8)).astype(np.float32)
    runners = []
    for kind in ("DepthwiseConvolution", "Convolution"):
        text = f'type: "{kind}" convolution_param {{ num_output: 6 group: 6 {params} }}'
        runners.append(Runner(text, [x]))
    values = [rng.standard_normal(blob.shape).astype(np.float32) for blob in runners[0].layer.blobs]
    assert len(values) == 1 + bias
    results = []
    for runner in runners:
        for blob, value in zip(runner.layer.blobs, values, strict=True):
            blob.data[...], blob.diff[...] = value, 1
        (top,) = runner.forward()
        seed = np.random.RandomState(8).standard_normal(top.shape)
        results.append([top, *runner.backward([seed]), *(blob.diff.copy() for blob in runner.layer.blobs)])
    want = naive(x, values[0], values[1] if bias else np.zeros(6), stride, pad, dilation)
    np.testing.assert_allclose(results[0][0], want, rtol=1e-4, atol=1e-5)
    for got, same in zip(*results, strict=True):
        np.testing.assert_allclose(got, same, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    "params, shape, message",
    [
        (
            "num_output: 6 group: 1",
            (2, 6, 5, 4),
            "num_output is 6 and group 1, with 6 channels in the bottom",
        ),
        ("num_output: 12", (2, 6, 5, 4), "num_output is 12 and group 6"),
        ("num_output: 12 group: 6", (2, 6, 5, 4), "num_output is 12 and group 6"),
        ("num_output: 6 group: 4", (2, 6, 5, 4), "must be multiples of group 4"),
        (
            "num_output: 6 group: 6",
            (2, 6, 5),
            "the bottom has the shape (2, 6, 5); expected two spatial axes",
        ),
    ],
)
def test_errors(params, shape, message):
    with pytest.raises(LayerError) as error:
        Runner(
            f'type: "DepthwiseConvolution" convolution_param {{ kernel_size: 3 {params} }}', [np.zeros(shape)]
        )
    assert message in str(error.value)


def test_a_group_that_is_not_given_is_the_number_of_channels():
    """As copies of ConvolutionDepthwise under this name have it."""
    x = np.random.RandomState(1).standard_normal((2, 6, 5, 4))
    params = "kernel_size: 3 num_output: 6 weight_filler { type: 'xavier' }"
    tops = []
    for group in ("", " group: 6"):
        set_random_seed(4)
        runner = Runner(f'type: "DepthwiseConvolution" convolution_param {{ {params}{group} }}', [x])
        tops.append(runner.forward()[0])
    np.testing.assert_array_equal(*tops)
