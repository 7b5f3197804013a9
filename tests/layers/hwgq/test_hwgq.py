"""Gradients of HWGQ-Net's layers, which are not those of what they compute, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format

from caffe_compat.errors import LayerError
from caffe_compat.layers.registry import computed_type, create_layer
from caffe_compat.prototxt.caffe_pb2 import LayerParameter
from caffe_compat.prototxt.upgrade_renamed import upgrade_renamed
from layers.harness import Runner

RNG = np.random.RandomState(3)
SIZES = "num_output: 4 kernel_size: 3 weight_filler { type: 'gaussian' }"


@pytest.mark.parametrize(
    "binary, plain, shape",
    [
        (
            f"type: 'BinaryConvolution' convolution_param {{ {SIZES} }} binary_convolution_param {{ use_alpha: true }}",
            f"type: 'Convolution' convolution_param {{ {SIZES} }}",
            (2, 3, 5, 6),
        ),
        (
            "type: 'BinaryInnerProduct' inner_product_param { num_output: 4 weight_filler { type: 'gaussian' } } "
            "binary_inner_product_param { }",
            "type: 'InnerProduct' inner_product_param { num_output: 4 }",
            (3, 5),
        ),
    ],
)
def test_gradients_are_those_of_the_signs(binary, plain, shape):
    x = RNG.standard_normal(shape)
    one, other = Runner(binary, [x]), Runner(plain, [x])
    weights = one.layer.blobs[0].data
    alpha = np.abs(weights.reshape(4, -1)).mean(1) if "use_alpha" in binary else np.ones(4)
    other.layer.blobs[0].data[...] = np.sign(weights) * alpha.reshape(4, *[1] * (weights.ndim - 1))
    np.testing.assert_allclose(one.forward()[0], other.forward()[0], rtol=1e-5, atol=1e-5)
    seed = RNG.standard_normal(one.top[0].shape)
    np.testing.assert_allclose(one.backward([seed])[0], other.backward([seed])[0], rtol=1e-5, atol=1e-5)
    assert other.layer.blobs[0].diff.any()
    for mine, its in zip(one.layer.blobs, other.layer.blobs, strict=True):
        np.testing.assert_allclose(mine.diff, its.diff, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["Ternary", "StochasticBinary"])
@pytest.mark.parametrize(
    "type, params, shape",
    [
        ("Convolution", f"convolution_param {{ {SIZES} }}", (2, 3, 5, 6)),
        ("InnerProduct", "inner_product_param { num_output: 4 weight_filler { type: 'gaussian' } }", (3, 5)),
    ],
)
def test_gradients_are_those_of_quantized_weights(kind, type, params, shape):
    x = RNG.standard_normal(shape)
    sq = "stochastic_quantization_param { sq: true ratio: 50 }"
    one, other = Runner(f"type: '{kind}{type}' {params} {sq}", [x]), Runner(f"type: '{type}' {params}", [x])
    top = one.forward()[0].copy()
    weights, used = (array.reshape(4, -1) for array in (one.layer.blobs[0].data, one.layer.quantized))
    assert (used == weights).all(axis=1).sum() == 2  # outputs keep theirs, others have few values
    assert all(len(set(np.abs(row))) <= 2 for row in used[(used != weights).any(axis=1)])
    other.layer.blobs[0].data[...] = one.layer.quantized
    np.testing.assert_allclose(top, other.forward()[0], rtol=1e-5, atol=1e-5)
    seed = RNG.standard_normal(top.shape)
    np.testing.assert_allclose(one.backward([seed])[0], other.backward([seed])[0], rtol=1e-5, atol=1e-5)
    for mine, its in zip(one.layer.blobs, other.layer.blobs, strict=True):
        np.testing.assert_allclose(mine.diff, its.diff, rtol=1e-5, atol=1e-5)


def test_the_text_says_which_quantization():
    text = "type: '{}Convolution' convolution_param {{ num_output: 4 kernel_size: 3 sq: true ratio: 25 }}"
    for kind in ("Binary", "Ternary"):
        layer = text_format.Parse(text.format(kind), LayerParameter())
        upgrade_renamed(layer)
        assert layer.stochastic_quantization_param.ratio == 25 and not layer.convolution_param.HasField("sq")
    assert computed_type(create_layer(text_format.Parse(text.format("Binary"), LayerParameter()), 0)) == (
        "StochasticBinaryConvolution"
    )


@pytest.mark.parametrize(
    "params, slopes",
    [
        ("centers: 1", [0, 0, 1, 1, 1]),
        ("centers: 1 clip_thr: 1.5 negative_slope: 0.25", [0.25, 0.25, 1, 1, 0]),
        ("forward_func: 'sign' backward_func: 'hard_tanh' clip_thr: 1.5", [0, 1, 1, 1, 0]),
        ("forward_func: 'sign' backward_func: 'hard_tanh'", [1, 1, 1, 1, 1]),
    ],
)
def test_slopes(params, slopes):
    runner = Runner(f'type: "Quant" quant_param {{ {params} }}', [np.array([-2, -1, 0.5, 1, 2])])
    runner.forward()
    np.testing.assert_array_equal(runner.backward([np.full(5, 2)])[0], 2 * np.array(slopes))


def test_between_two_centers_the_lower_one_counts():
    runner = Runner(
        'type: "Quant" quant_param { centers: 1 centers: 2 }', [np.array([0, 0.1, 1.5, 1.75, 1e30])]
    )
    np.testing.assert_array_equal(runner.forward()[0], [0, 1, 1, 2, 2])


@pytest.mark.parametrize(
    "layer, told",
    [
        ("type: 'Quant' quant_param { forward_func: 'tanh' }", "forward_func is 'tanh'"),
        ("type: 'Quant' quant_param { backward_func: 'sign' }", "backward_func 'sign'"),
        ("type: 'Quant'", "centers are "),
        ("type: 'Quant' quant_param { centers: 2 centers: 1 }", "from the least to the greatest"),
    ],
)
def test_what_is_refused(layer, told):
    with pytest.raises(LayerError, match=told):
        Runner(layer, [np.ones((1, 2, 4, 5))])
