"""Im2col against one pixel after the other."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

# parameters as text, (kernel, stride, pad, dilation) for each spatial axis, bottom shape
CASES = [
    ("kernel_size: 3 stride: 2 pad: 1", [(3, 2, 1, 1), (3, 2, 1, 1)], (2, 3, 7, 6)),
    (
        "kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 2 pad_h: 0 pad_w: 3 dilation: 3 dilation: 1",
        [(2, 1, 0, 3), (3, 2, 3, 1)],
        (2, 3, 7, 6),
    ),
    ("kernel_size: 1", [(1, 1, 0, 1), (1, 1, 0, 1)], (2, 3, 4, 5)),
    ("kernel_size: 3 pad: 2 dilation: 2", [(3, 1, 2, 2)], (2, 3, 7)),
    (
        "kernel_size: 2 stride: 2 stride: 1 stride: 3 pad: 1",
        [(2, 2, 1, 1), (2, 1, 1, 1), (2, 3, 1, 1)],
        (2, 3, 4, 3, 5),
    ),
    ("kernel_size: 2 axis: 2 force_nd_im2col: true", [(2, 1, 0, 1), (2, 1, 0, 1)], (2, 3, 4, 5, 6)),
]


def layer(params):
    return f'type: "Im2col" convolution_param {{ {params} }}'


@pytest.mark.parametrize("params, axes, shape", CASES)
def test_against_naive(params, axes, shape):
    rng = np.random.RandomState(1)
    x = rng.standard_normal(shape).astype(np.float32)
    runner = Runner(layer(params), [x])
    (top,) = runner.forward()
    seed = rng.standard_normal(top.shape).astype(np.float32)
    (diff,) = runner.backward([seed])
    spatial = shape[-len(axes) :]
    outs = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, (k, s, p, d) in zip(spatial, axes, strict=True)]
    kernel = [k for k, _, _, _ in axes]
    lead, channels = shape[: -len(axes) - 1], shape[-len(axes) - 1]
    want, want_diff = np.zeros((*lead, channels, *kernel, *outs)), np.zeros(shape)
    seeds = seed.reshape(want.shape)
    for image in np.ndindex(lead):
        for c in range(channels):
            for element in np.ndindex(*kernel):
                for out in np.ndindex(*outs):
                    at = [o * s - p + e * d for o, e, (_, s, p, d) in zip(out, element, axes, strict=True)]
                    if all(0 <= a < n for a, n in zip(at, spatial, strict=True)):
                        want[(*image, c, *element, *out)] = x[(*image, c, *at)]
                        want_diff[(*image, c, *at)] += seeds[(*image, c, *element, *out)]
    assert top.shape == (*lead, channels * np.prod(kernel), *outs)
    np.testing.assert_array_equal(top.reshape(want.shape), want.astype(np.float32))
    np.testing.assert_allclose(diff, want_diff, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "params, shape, message",
    [
        ("", (1, 2, 5, 6), "kernel_size is 0"),
        ("kernel_size: 3", (4, 2), r"\(4, 2\) has no spatial axes after axis 1"),
        ("kernel_size: 7", (1, 2, 5, 9), r"a kernel of \(7, 7\) .* does not fit"),
    ],
)
def test_wrong_params(params, shape, message):
    with pytest.raises(LayerError, match=message):
        Runner(layer(params), [np.zeros(shape)])


def test_the_number_of_axes_stays():
    runner = Runner(layer("kernel_size: 2"), [np.zeros((1, 2, 5, 6))])
    with pytest.raises(LayerError, match="expected 4 axes"):
        runner.feed([np.zeros((1, 2, 5))])
