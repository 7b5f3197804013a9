"""Ristretto's numbers one by one, its straight gradients, and what a net makes of bottoms that are trimmed."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format

import caffe_compat as caffe
from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.ristretto.trim import FixedPoint, Minifloat, PowerOf2, drawn, nearest
from caffe_compat.prototxt.caffe_pb2 import NetParameter
from caffe_compat.rng import set_random_seed
from caffe_compat.trimmed_bottoms import with_trimmed_bottoms
from layers.harness import Runner

RNG = np.random.RandomState(3)
NAN, INF = np.nan, np.inf


def trimmed(trim, numbers, rounding=nearest):
    x = np.array(numbers, np.float32)
    trim(x, rounding)
    return x


@pytest.mark.parametrize(
    "trim, numbers, few",
    [
        (FixedPoint(4, 2), [0.3, 0.375, 0.125, -0.125, 9, -9, NAN], [0.25, 0.5, 0, 0, 1.75, -2, 1.75]),
        (FixedPoint(1, 0), [0.7, -0.7, -3], [0, -1, -1]),
        (FixedPoint(3, -2), [5, 6, -6, 100], [4, 8, -8, 12]),
        (FixedPoint(32, 16), [2.0**-17, 3 * 2.0**-17, 1e9], [0, 2.0**-15, 32768]),
        # a bias of 3: from 2^-3 to (2 - 1/4) 2^4
        (
            Minifloat(2, 3),
            [1.1, 1.125, 1.375, 1.9, -0.125, 0.12, 0, 28, 31, 64],
            [1, 1, 1.5, 2, -0.125, 0, 0, 28, 32, 28],
        ),
        (Minifloat(0, 1), [1, 1.5, 1.6, 2.9, 4.1, -0.9], [1, 1, 2, 2, 2, 0]),
        (Minifloat(23, 8), [1e-40, 0.1, -3e38, INF, NAN], [0, 0.1, -3e38, INF, INF]),
        (PowerOf2(-3, 1), [0.6, 0.75, -0.7, 1e-9, 0, 5, -5], [0.5, 1, -0.5, 0.125, 0.125, 2, -2]),
    ],
)
def test_numbers_of_few_bits(trim, numbers, few):
    np.testing.assert_array_equal(trimmed(trim, numbers), np.array(few, np.float32))


@pytest.mark.parametrize(
    "trim, low, high, number",
    [
        (FixedPoint(8, 2), 0.25, 0.5, 0.3),
        (Minifloat(1, 3), 1.5, 2, 1.6),
        (PowerOf2(-8, -1), 0.25, 0.5, 0.25 * 2**0.2),
    ],
)
def test_drawn_numbers_have_the_number_as_their_mean(trim, low, high, number):
    set_random_seed(3)
    x = trimmed(trim, np.full(4000, number), drawn)
    assert {*x} == {np.float32(low), np.float32(high)}
    assert abs((x == high).mean() - 0.2) < 0.02


SIZES = "num_output: 4 kernel_size: 3 stride: 2"
BITS = "quantization_param { bw_params: 6 fl_params: 3 bw_layer_in: 5 fl_layer_in: 2 bw_layer_out: 12 fl_layer_out: 5 }"


@pytest.mark.parametrize("phase", [TEST, TRAIN])
@pytest.mark.parametrize(
    "kind, plain, params, shape",
    [
        ("ConvolutionRistretto", "Convolution", f"convolution_param {{ {SIZES} }}", (2, 3, 5, 7)),
        ("DeconvolutionRistretto", "Deconvolution", f"convolution_param {{ {SIZES} }}", (2, 3, 4, 5)),
        ("FcRistretto", "InnerProduct", "inner_product_param { num_output: 4 }", (3, 5)),
    ],
)
def test_gradients_are_those_of_what_is_trimmed(kind, plain, params, shape, phase):
    x = 2 * RNG.standard_normal(shape)
    trim, bits = (FixedPoint(5, 2), FixedPoint(6, 3))
    one = Runner(f"type: '{kind}' {params} {BITS}", [x], phase=phase)
    taken = trimmed(trim, x) if phase == TEST else x
    other = Runner(f"type: '{plain}' {params}", [taken], phase=phase)
    for blob in one.layer.blobs:
        blob.data[...] = RNG.standard_normal(blob.shape)
    kept = [blob.data.copy() for blob in one.layer.blobs]
    top = one.forward()[0]
    for blob, used, own in zip(other.layer.blobs, one.layer.trimmed, kept, strict=True):
        blob.data[...] = used
        assert (used * 8 == np.rint(used * 8)).all() and abs(used - own).max() < 0.126
        if phase == TEST:
            np.testing.assert_array_equal(used, trimmed(bits, own))
    want = other.forward()[0]
    np.testing.assert_allclose(top, trimmed(FixedPoint(12, 5), want) if phase == TEST else want, atol=1e-5)
    seed = RNG.standard_normal(top.shape)
    np.testing.assert_allclose(one.backward([seed])[0], other.backward([seed])[0], rtol=1e-5, atol=1e-5)
    for mine, its, own in zip(one.layer.blobs, other.layer.blobs, kept, strict=True):
        assert its.diff.any()
        np.testing.assert_allclose(mine.diff, its.diff, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(mine.data, own)


def test_the_gradient_of_an_lrn_of_all_bits_is_the_true_one():
    params = "lrn_param { local_size: 3 alpha: 2 beta: 0.6 k: 1.5 }"
    x = RNG.standard_normal((2, 5, 3, 4))
    one = Runner(f"type: 'LRNRistretto' {params} quantization_param {{ precision: MINIFLOAT }}", [x])
    other = Runner(f"type: 'LRN' {params}", [x])
    np.testing.assert_allclose(one.forward()[0], other.forward()[0], rtol=1e-5)
    seed = RNG.standard_normal(x.shape)
    np.testing.assert_allclose(one.backward([seed])[0], other.backward([seed])[0], rtol=1e-4, atol=1e-5)


def test_the_gradient_of_an_lrn_takes_the_trimmed_sums():
    """Of one channel: the sum is x^2 trimmed, and the top 4 trimmed."""
    text = (
        "type: 'LRNRistretto' lrn_param { local_size: 1 alpha: 1 beta: 1 k: 0 } "
        "quantization_param { precision: MINIFLOAT mant_bits: 0 exp_bits: 4 }"
    )
    runner = Runner(text, [np.full((1, 1, 1, 2), 1.4)])
    np.testing.assert_array_equal(runner.forward()[0].ravel(), [1, 1])
    (diff,) = runner.backward([np.full((1, 1, 1, 2), 3)])
    np.testing.assert_allclose(diff.ravel(), [3 - 2 * 1.4 * 3] * 2, rtol=1e-6)


@pytest.mark.parametrize(
    "layer, told",
    [
        ("bw_params: 0", "bw_params is 0; expected 1 to 32 bits"),
        ("bw_layer_in: 33", "bw_layer_in is 33"),
        ("bw_layer_out: 8 fl_layer_out: 127", "fl_layer_out is 127; float32 has no such numbers of 8 bits"),
        ("bw_params: 8 fl_params: -2147483648", "fl_params is -2147483648"),
        ("precision: MINIFLOAT mant_bits: 24", "mant_bits is 24 and exp_bits 8; expected at most 23 and 8"),
        ("precision: MINIFLOAT exp_bits: 4294967295", "exp_bits 4294967295"),
        ("precision: INTEGER_POWER_OF_2_WEIGHTS exp_min: 2 exp_max: 1", "exp_min is 2 and exp_max 1"),
        ("precision: INTEGER_POWER_OF_2_WEIGHTS exp_min: -127", "exp_min is -127"),
    ],
)
def test_bits_that_are_refused(layer, told):
    with pytest.raises(LayerError, match=told):
        Runner(
            f"type: 'FcRistretto' inner_product_param {{ num_output: 2 }} quantization_param {{ {layer} }}",
            [np.ones((2, 3))],
        )


@pytest.mark.parametrize(
    "params, told",
    [
        ("", "precision is DYNAMIC_FIXED_POINT; an LRN is trimmed to MINIFLOAT alone"),
        ("lrn_param { norm_region: WITHIN_CHANNEL }", "norm_region is WITHIN_CHANNEL; only ACROSS_CHANNELS"),
    ],
)
def test_lrns_that_are_refused(params, told):
    with pytest.raises(LayerError, match=told):
        Runner(f"type: 'LRNRistretto' {params}", [np.ones((1, 2, 3, 4))])


SHARED = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "before" type: "Power" bottom: "x" top: "before" }
layer { name: "a" type: "FcRistretto" bottom: "x" top: "a" inner_product_param { num_output: 4 }
        quantization_param { bw_layer_in: 4 fl_layer_in: 2 } }
layer { name: "b" type: "FcRistretto" bottom: "x" top: "b" inner_product_param { num_output: 5 }
        quantization_param { bw_layer_in: 4 fl_layer_in: 2 bw_params: 3 } }
layer { name: "c" type: "FcRistretto" bottom: "x" top: "c" inner_product_param { num_output: 5 }
        quantization_param { bw_layer_in: 6 fl_layer_in: 0 } }
layer { name: "behind" type: "Power" bottom: "x" top: "behind" }
layer { name: "silence" type: "Silence" bottom: "a" bottom: "b" bottom: "c" }
"""


def net_of(text: str, phase: int) -> NetParameter:
    param = text_format.Parse(text, NetParameter())
    for layer in param.layer:
        layer.phase = phase
    return param


def test_layers_behind_read_what_is_trimmed():
    """As the original, which trims a bottom where it lies."""
    layers = with_trimmed_bottoms(net_of(SHARED, TEST)).layer
    assert [(layer.name, *layer.bottom) for layer in layers if "silence" not in layer.name] == [
        ("x",),
        ("before", "x"),
        ("a", "x"),
        ("x_a_trimmed", "x"),
        ("b", "x_a_trimmed"),
        ("c", "x_a_trimmed"),
        ("x_c_trimmed", "x_a_trimmed"),
        ("behind", "x_c_trimmed"),
    ]
    assert text_format.MessageToString(layers[3].quantization_param, as_one_line=True) == (
        "bw_layer_in: 4 fl_layer_in: 2"
    )
    training = net_of(SHARED, TRAIN)
    assert with_trimmed_bottoms(training) == training


@pytest.mark.parametrize("engine", ["strict", "fast"])
def test_a_net_whose_layers_share_a_bottom(engine, tmp_path):
    (tmp_path / "net.prototxt").write_text(SHARED)
    net = caffe.Net(tmp_path / "net.prototxt", TEST, engine=engine)
    net.blobs["x"].data[...] = x = np.array([[0.3, 0.7, -0.6], [1.4, 9, -9]], np.float32)
    found = net.forward()
    np.testing.assert_array_equal(found["before"], x)
    # to quarters up to 1.75, then to whole numbers; the even one of two as near
    np.testing.assert_array_equal(found["behind"], [[0, 1, 0], [2, 2, -2]])


def test_a_blob_that_is_made_anew_is_not_trimmed():
    text = SHARED.replace('top: "before"', 'top: "x"').replace('bottom: "x" top: "x"', 'bottom: "x" top: "x"')
    layers = with_trimmed_bottoms(net_of(text, TEST)).layer
    assert [(*layer.bottom, *layer.top) for layer in layers[:4]] == [
        ("x",),
        ("x", "x"),
        ("x", "a"),
        ("x", "x_a_trimmed"),
    ]
