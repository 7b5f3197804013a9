"""Embed against plain loops, and numbers out of range."""

import re

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

LAYER = 'type: "Embed" embed_param { num_output: %d input_dim: 7 bias_term: %s }'


@pytest.mark.parametrize("bias_term", ["true", "false"])
@pytest.mark.parametrize("outputs", [5, 130])  # more columns than one block of the kernel has
def test_against_plain_loops(outputs, bias_term):
    rng = np.random.RandomState(3)
    numbers = np.array([[3, 0, 3], [6, 3, 1]])  # 3 more than once, 5 never
    runner = Runner(LAYER % (outputs, bias_term), [numbers])
    for blob in runner.layer.blobs:
        blob.data[...] = rng.standard_normal(blob.shape)
        blob.diff[...] = 2
    weights = runner.layer.blobs[0]
    assert weights.shape == (7, outputs)
    bias = runner.layer.blobs[1].data if bias_term == "true" else np.zeros(outputs)
    diff = rng.standard_normal((2, 3, outputs)).astype(np.float32)
    weights_diff, bias_diff, top = np.full((7, outputs), 2.0), np.full(outputs, 2.0), np.zeros(diff.shape)
    for i, j in np.ndindex(2, 3):
        top[i, j] = weights.data[numbers[i, j]] + bias
        weights_diff[numbers[i, j]] += diff[i, j]
        bias_diff += diff[i, j]
    np.testing.assert_allclose(runner.forward()[0], top, rtol=1e-6)
    assert runner.backward([diff]) == [None]
    np.testing.assert_allclose(weights.diff, weights_diff, rtol=1e-5, atol=1e-6)
    if bias_term == "true":
        np.testing.assert_allclose(runner.layer.blobs[1].diff, bias_diff, rtol=1e-5, atol=1e-6)


def test_fillers():
    params = "num_output: 2 input_dim: 3 weight_filler { value: 3 } bias_filler { value: 4 }"
    assert Runner(f'type: "Embed" embed_param {{ {params} }}', [np.array([2])]).forward()[0].tolist() == [
        [7, 7]
    ]


@pytest.mark.parametrize(("number", "shown"), [(7, "7"), (-1, "-1"), (np.nan, "nan")])
def test_numbers_out_of_range(number, shown):
    numbers = np.array([[3, 0, 3], [6, number, 1]])
    message = f"{shown} at [1, 1] of the bottom (shape (2, 3)) is not from 0 to input_dim - 1 = 6"
    with pytest.raises(LayerError, match=re.escape(message)):
        Runner(LAYER % (5, "true"), [numbers]).forward()


@pytest.mark.parametrize(("params", "name"), [("input_dim: 3", "num_output"), ("num_output: 3", "input_dim")])
def test_sizes_that_are_missing(params, name):
    with pytest.raises(LayerError, match=f"{name} is missing; give it in the layer's EmbedParameter"):
        Runner(f'type: "Embed" embed_param {{ {params} }}', [np.zeros(2)])
