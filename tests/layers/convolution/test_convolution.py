"""Convolution against a sum written out window by window."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import CaffeCompatError, LayerError
from caffe_compat.layers.convolution import im2col_convolution
from layers.harness import Runner

# parameters as text, bottom shape
CASES = [
    ("num_output: 4 kernel_size: 3", (2, 3, 7, 6)),
    ("num_output: 4 kernel_size: 3 pad: 1 stride: 2", (2, 3, 9, 8)),
    ("num_output: 5 kernel_size: 1", (2, 3, 4, 6)),
    ("num_output: 5 kernel_size: 1 stride: 2 pad: 1", (2, 3, 4, 6)),
    ("num_output: 4 kernel_size: 3 kernel_size: 2 stride: 1 stride: 3 pad: 2 pad: 0", (3, 2, 5, 9)),
    ("num_output: 4 kernel_h: 2 kernel_w: 5 stride_h: 2 stride_w: 1 pad_h: 0 pad_w: 3", (2, 3, 7, 4)),
    ("num_output: 6 kernel_size: 3 group: 2 pad: 1", (2, 4, 5, 7)),
    ("num_output: 6 kernel_size: 1 group: 3", (2, 9, 5, 7)),
    ("num_output: 8 kernel_size: 3 group: 4 stride: 2", (2, 4, 5, 7)),
    ("num_output: 4 kernel_size: 3 dilation: 2 pad: 1", (2, 3, 8, 7)),
    ("num_output: 4 kernel_size: 3 dilation: 1 dilation: 3 pad: 5 stride: 2", (2, 3, 4, 7)),
    ("num_output: 4 kernel_size: 7 pad: 6", (2, 3, 1, 2)),
    ("num_output: 4 kernel_size: 3 stride: 5", (2, 3, 11, 9)),
    (
        "num_output: 4 kernel_size: 3 stride: 2",
        (2, 3, 2, 6),
    ),  # hangs over the lower edge by less than a stride
    ("num_output: 4 kernel_size: 3 stride: 2 pad: 1 dilation: 2", (2, 3, 9)),
    ("num_output: 4 kernel_size: 1", (2, 3, 7)),
    ("num_output: 6 kernel_size: 3 pad: 1 group: 3", (2, 3, 4, 6, 5)),
    (
        "num_output: 4 kernel_size: 3 kernel_size: 2 kernel_size: 1 stride: 2 stride: 1 stride: 3 "
        "pad: 0 pad: 2 pad: 1 dilation: 1 dilation: 3 dilation: 1",
        (2, 3, 5, 4, 7),
    ),
    ("num_output: 4 kernel_size: 2 pad: 1 stride: 2", (2, 3, 2, 4, 3, 5)),
    ("num_output: 4 kernel_size: 5", (3, 2)),  # no spatial axes: a product
    ("num_output: 4", (3, 2)),
    ("num_output: 4 kernel_size: 3 bias_term: false engine: CUDNN force_nd_im2col: true", (2, 3, 7, 6)),
]


def layer(params):
    return f'type: "Convolution" convolution_param {{ {params} }}'


def fill_params(runner, seed=3):
    rng = np.random.RandomState(seed)
    for blob in runner.layer.blobs:
        blob.data[...] = rng.standard_normal(blob.shape)
    return [blob.data.astype(np.float64) for blob in runner.layer.blobs]


def naive(param, x, weights, bias, seed):
    """The top, and the gradients of bottom, filters and bias for the top diff `seed`, in float64."""
    kernel, axes = weights.shape[2:], x.ndim - 2

    def sizes(field, prefix, default):
        if prefix and param.HasField(f"{prefix}_h"):
            return getattr(param, f"{prefix}_h"), getattr(param, f"{prefix}_w")
        values = list(getattr(param, field)) or [default]
        return values * axes if len(values) == 1 else values

    stride, pad = sizes("stride", "stride", 1), sizes("pad", "pad", 0)
    dilation = sizes("dilation", "", 1)
    per_group = weights.shape[1]
    padded = np.zeros((*x.shape[:2], *(size + 2 * p + 5 for size, p in zip(x.shape[2:], pad, strict=True))))
    inside = (slice(None), slice(None), *(slice(p, p + n) for n, p in zip(x.shape[2:], pad, strict=True)))
    padded[inside] = x
    padded_diff, weights_diff, top = np.zeros_like(padded), np.zeros_like(weights), np.zeros(seed.shape)
    for n, m, *place in np.ndindex(seed.shape):
        first = m // (seed.shape[1] // param.group) * per_group
        places = [
            at * s + d * np.arange(k) for at, s, d, k in zip(place, stride, dilation, kernel, strict=True)
        ]
        window = np.ix_([n], range(first, first + per_group), *places)
        there = (n, m, *place)
        top[there] = (padded[window][0] * weights[m]).sum() + bias[m]
        padded_diff[window] += weights[m] * seed[there]
        weights_diff[m] += padded[window][0] * seed[there]
    return top, padded_diff[inside], weights_diff, seed.sum(axis=(0, *range(2, seed.ndim)))


def close(got, want, rtol=3e-6):
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=rtol * abs(want).max())


@pytest.mark.parametrize("columns", [im2col_convolution.COLUMNS, 1, 200])
@pytest.mark.parametrize("params, shape", CASES)
def test_against_naive(monkeypatch, params, shape, columns):
    monkeypatch.setattr(im2col_convolution, "COLUMNS", columns)  # 1: one output row at a time
    rng = np.random.RandomState(1)
    x = rng.standard_normal(shape).astype(np.float32)
    runner = Runner(layer(params), [x])
    weights, *bias = fill_params(runner)
    (top,) = runner.forward()
    seed = rng.standard_normal(top.shape).astype(np.float32)
    for blob in runner.layer.blobs:
        blob.diff[...] = 2
    (diff,) = runner.backward([seed])
    param = runner.layer.layer_param.convolution_param
    want = naive(param, x, weights, bias[0] if bias else np.zeros(len(weights)), seed)
    close(top, want[0])
    close(diff, want[1])
    for blob, gradient in zip(runner.layer.blobs, want[2:], strict=False):
        close(blob.diff, gradient + 2, rtol=1e-5)


def test_output_sizes():
    for params, shape, want in [
        ("kernel_size: 7 stride: 2", (1, 3, 600, 800), (297, 397)),
        ("kernel_size: 5 stride: 2 pad: 1", (1, 3, 148, 198), (73, 98)),
        ("kernel_size: 3 pad: 1", (1, 3, 36, 49), (36, 49)),
        ("kernel_size: 3 pad: 6 dilation: 6", (1, 3, 20, 31), (20, 31)),
    ]:
        runner = Runner(layer(f"num_output: 2 {params}"), [np.zeros(shape)])
        assert runner.top[0].shape == (1, 2, *want)


def test_bottoms_share_the_filters():
    rng = np.random.RandomState(1)
    x, z = rng.standard_normal((2, 2, 3, 6, 5)).astype(np.float32)
    params = "num_output: 4 kernel_size: 3 pad: 1"
    both = Runner(layer(params), [x, z], tops=2)
    weights, bias = fill_params(both)
    tops = both.forward()
    seeds = rng.standard_normal((2, 2, 4, 6, 5)).astype(np.float32)
    diffs = both.backward(list(seeds))
    param = both.layer.layer_param.convolution_param
    wants = [naive(param, b, weights, bias, s) for b, s in zip((x, z), seeds, strict=True)]
    for i, want in enumerate(wants):
        close(tops[i], want[0])
        close(diffs[i], want[1])
    close(both.layer.blobs[0].diff, wants[0][2] + wants[1][2], rtol=1e-5)
    close(both.layer.blobs[1].diff, wants[0][3] + wants[1][3], rtol=1e-5)


def test_axes_before_the_channels_are_images():
    rng = np.random.RandomState(1)
    x = rng.standard_normal((2, 4, 3, 6, 5)).astype(np.float32)
    flat = Runner(layer("num_output: 7 kernel_size: 3"), [x.reshape(8, 3, 6, 5)])
    runner = Runner(layer("num_output: 7 kernel_size: 3 axis: -3"), [x])
    fill_params(flat), fill_params(runner)
    (want,), (top,) = flat.forward(), runner.forward()
    assert top.shape == (2, 4, 7, 4, 3)
    np.testing.assert_array_equal(top.reshape(want.shape), want)
    seed = rng.standard_normal(top.shape)
    (diff,) = runner.backward([seed])
    (want_diff,) = flat.backward([seed.reshape(want.shape)])
    np.testing.assert_array_equal(diff.reshape(want_diff.shape), want_diff)


def test_frozen_params_take_no_gradient():
    runner = Runner(layer("num_output: 4 kernel_size: 3"), [np.ones((1, 2, 5, 6))])
    runner.layer.param_propagate_down = [False, False]
    runner.forward()
    runner.backward([np.ones((1, 4, 3, 4))])
    assert not any(blob.has_diff for blob in runner.layer.blobs)


def test_fillers():
    runner = Runner(
        layer(
            "num_output: 4 kernel_size: 3 "
            "weight_filler { type: 'constant' value: 2 } bias_filler { value: 0.5 }"
        ),
        [np.ones((1, 2, 5, 6))],
    )
    assert [blob.shape for blob in runner.layer.blobs] == [(4, 2, 3, 3), (4,)]
    assert (runner.forward()[0] == 2 * 18 + 0.5).all()


@pytest.mark.parametrize(
    "params, shape, message",
    [
        ("num_output: 4", (1, 2, 5, 6), "kernel_size is 0; it must be at least 1"),
        ("num_output: 4 kernel_h: 3", (1, 2, 5, 6), "kernel_size is 3 x 0; it must be at least 1"),
        ("num_output: 4 kernel_size: 3 kernel_h: 2 kernel_w: 2", (1, 2, 5, 6), "kernel_h or kernel_w too"),
        ("num_output: 4 kernel_size: 3 stride: 1 stride_h: 2", (1, 2, 5, 6), "stride_h or stride_w too"),
        ("num_output: 4 kernel_size: 3 pad: 1 pad_w: 1", (1, 2, 5, 6), "pad_h or pad_w too"),
        ("num_output: 4" + " kernel_size: 3" * 3, (1, 2, 5, 6), "kernel_size is given 3 times"),
        ("num_output: 4 kernel_size: 3 stride: 0", (1, 2, 5, 6), "stride is 0; it must be at least 1"),
        ("num_output: 4 kernel_size: 3 dilation: 0", (1, 2, 5, 6), "dilation is 0"),
        (
            "kernel_size: 3",
            (1, 2, 5, 6),
            "num_output is missing; give it in the layer's ConvolutionParameter",
        ),
        ("num_output: 4 kernel_size: 3 group: 0", (1, 2, 5, 6), "multiples of group 0"),
        (
            "num_output: 4 kernel_size: 3 group: 2",
            (1, 3, 5, 6),
            "the 3 channels of the bottom must be multiples",
        ),
        ("num_output: 3 kernel_size: 3 group: 2", (1, 4, 5, 6), "num_output 3 and the 4 channels"),
        ("num_output: 4 kernel_size: 7", (1, 2, 5, 6), r"a kernel of \(7, 7\).*\(1, 2, 5, 6\)"),
        (
            "num_output: 4 kernel_size: 3 dilation: 3",
            (1, 2, 9, 5),
            r"dilation \(3, 3\) and pad \(0, 0\) does not fit",
        ),
        ("num_output: 4 kernel_h: 3 kernel_w: 2", (1, 2, 5), "kernel_h and kernel_w are for 2 spatial axes"),
        ("num_output: 4 kernel_size: 3 pad_w: 2", (1, 2, 5, 6, 7), "for 2 spatial axes, the bottom has 3"),
        (
            "num_output: 4 kernel_size: 3 stride: 1 stride: 2",
            (1, 2, 5, 6, 7),
            "stride is given 2 times; give it once, or once for each of the 3 spatial axes",
        ),
        ("num_output: 4 kernel_size: 7", (1, 2, 5), r"a kernel of \(7,\).*\(1, 2, 5\)"),
        ("num_output: 4 kernel_size: 3 axis: 4", (1, 2, 5, 6), "axis 4 is out of range"),
        ("num_output: 4 kernel_size: 3 weight_filler { type: 'xavierr' }", (1, 2, 5, 6), "'xavierr'"),
        ("num_output: 4 kernel_size: 3", (1, 0, 5, 6), "no elements"),
    ],
)
def test_wrong_params(params, shape, message):
    with pytest.raises(LayerError, match=message):
        Runner(layer(params), [np.zeros(shape)])


def test_huge_params_are_refused_before_memory_is_taken():
    for params in ("num_output: 4294967295 kernel_size: 3", "num_output: 4 kernel_size: 3 pad: 4294967295"):
        with pytest.raises(CaffeCompatError):
            Runner(layer(params), [np.zeros((1, 2, 5, 6))])


def test_bottoms_must_fit():
    with pytest.raises(LayerError, match=r"\(1, 2, 5, 6\) and \(1, 2, 6, 5\); they must be equal"):
        Runner(
            layer("num_output: 4 kernel_size: 3"), [np.zeros((1, 2, 5, 6)), np.zeros((1, 2, 6, 5))], tops=2
        )
    runner = Runner(layer("num_output: 4 kernel_size: 3"), [np.zeros((1, 2, 5, 6))])
    with pytest.raises(LayerError, match="expected 4 axes with 2 channels on axis 1"):
        runner.feed([np.zeros((1, 3, 5, 6))])


def test_a_dilation_of_0_is_none_where_the_kernel_is_1():
    x = np.random.RandomState(1).standard_normal((2, 3, 4, 5))
    fields = 'type: "Convolution" convolution_param {{ num_output: 2 kernel_size: {} dilation: 0 }}'
    runner = Runner(fields.format(1), [x])
    runner.layer.blobs[0].data[...] = 1
    np.testing.assert_allclose(runner.forward()[0][:, 1], x.sum(axis=1), rtol=1e-5)
    with pytest.raises(LayerError, match="dilation is 0; it must be at least 1"):
        Runner(fields.format(3), [x])
