"""A Convolution with a bottom of dilations: of whole ones it is a dilated Convolution; errors."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.registry import computed_type, create_layer
from layers.harness import Runner, parse

PARAMS = "num_output: 4 kernel_size: 3 group: 2"
TEXT = 'type: "DilatedByBottom" convolution_param {{ {} }}'
X = np.random.RandomState(3).standard_normal((2, 4, 6, 7))


def test_of_one_whole_dilation_it_is_a_convolution():
    for most, dilation in ((2, 2), (4, 2), (3, 1)):
        bent = Runner(TEXT.format(f"{PARAMS} pad: {most} dilation: {most}"), [X, np.full(X.shape, dilation)])
        plain = Runner(
            f'type: "Convolution" convolution_param {{ {PARAMS} pad: {dilation} dilation: {dilation} }}', [X]
        )
        rng = np.random.RandomState(4)
        for one, other in zip(bent.layer.blobs, plain.layer.blobs, strict=True):
            one.data[...] = other.data[...] = rng.standard_normal(one.shape)
        (top,), (want,) = bent.forward(), plain.forward()
        edge = dilation + 1  # there the pixel one further lies outside, and counts as 0
        inside = np.s_[:, :, edge : 6 - edge, edge : 7 - edge]
        # the pixel of the whole dilation has all of the share, but is 0 where the next one lies outside
        where = inside if dilation < most else np.s_[:]
        np.testing.assert_allclose(top[where], want[where], atol=1e-5)


def test_two_bottoms_and_one_top_tell():
    for text, name in (
        ('bottom: "a" bottom: "b" top: "c"', "DilatedByBottom"),
        ('bottom: "a" bottom: "b" top: "c" top: "d"', "Convolution"),
        ('bottom: "a" top: "c"', "Convolution"),
    ):
        assert computed_type(create_layer(parse(f'type: "Convolution" {text}'), TRAIN)) == name


@pytest.mark.parametrize(
    ("params", "shape", "message"),
    [
        ("kernel_size: 5 pad: 2 dilation: 2", X.shape, "with a bottom of dilations they are 3, 1"),
        ("kernel_size: 3 pad: 2 dilation: 2 stride: 2", X.shape, "they are 3, 1, and two equal numbers"),
        ("kernel_size: 3 pad: 2", X.shape, "two equal numbers"),
        ("kernel_size: 3 pad: 1 dilation: 1", (2, 1, 6, 7), "dilations have that of bottom"),
        (
            "kernel_size: 3 pad: 1 pad: 2 dilation: 1 dilation: 2",
            X.shape,
            "with a bottom of dilations it is one number",
        ),
    ],
)
def test_what_does_not_fit(params, shape, message):
    with pytest.raises(LayerError, match=message):
        Runner(TEXT.format(f"num_output: 2 {params}"), [X, np.ones(shape)])


@pytest.mark.parametrize("wrong", [-0.5, np.nan])
def test_a_dilation_below_0(wrong):
    dilations = np.ones(X.shape)
    dilations[1, 2, 3, 4] = wrong
    with pytest.raises(LayerError, match="dilations below 0"):
        Runner(TEXT.format(f"{PARAMS} pad: 1"), [X, dilations]).forward()
