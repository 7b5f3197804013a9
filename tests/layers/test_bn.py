"""BN in both forms: moving averages, the gradient in testing, params, fields that do not fit, and what becomes of it
in a chain of the fast engine."""

from __future__ import annotations

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from layers.harness import Runner

F = np.float32
PSPNET = 'type: "BN" bn_param { slope_filler { value: 2 } bias_filler { value: 1 } %s }'
SEGNET = 'type: "BN" bn_param { scale_filler { value: 2 } shift_filler { value: 1 } %s }'


@pytest.fixture
def x():
    return np.random.RandomState(1).standard_normal((2, 3, 4, 5)) * 3 + 1


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x.mean((0, 2, 3)), x.var((0, 2, 3))


def test_training_moves_the_averages(x):
    runner = Runner(PSPNET % "momentum: 0.75", [x])
    assert [blob.shape for blob in runner.layer.blobs] == [(1, 3, 1, 1)] * 4
    runner.forward()
    runner.forward()
    for blob, values in zip(runner.layer.blobs[2:], moments(x), strict=True):
        np.testing.assert_allclose(blob.data.ravel(), values * (1 - 0.75**2), rtol=1e-5)


@pytest.mark.parametrize("fields, phase", [("", TEST), ("frozen: true", TRAIN), ("frozen: true", TEST)])
def test_averages_that_are_used_stay(x, fields, phase):
    runner = Runner(PSPNET % fields, [x], phase=phase)
    assert (runner.layer.blobs[3].data == (1 if fields else 0)).all()
    runner.layer.blobs[2].data[...] = 0.5
    runner.layer.blobs[3].data[...] = 4
    (y,) = runner.forward()
    np.testing.assert_allclose(y, 2 * (x - 0.5) / np.sqrt(4 + 1e-5) + 1, rtol=1e-5, atol=1e-5)
    assert (runner.layer.blobs[2].data == 0.5).all() and (runner.layer.blobs[3].data == 4).all()


def test_the_gradient_in_testing_is_that_of_training_with_the_averages(x):
    runner = Runner(PSPNET % "", [x], phase=TEST, dtype=np.float64)
    runner.layer.blobs[2].data[...] = 0.5
    runner.layer.blobs[3].data[...] = 4
    runner.forward()
    diff = np.random.RandomState(2).standard_normal(x.shape)
    (x_diff,) = runner.backward([diff])
    factor = 1 / np.sqrt(4 + 1e-5)
    unit = (x - 0.5) * factor
    mean, along = (v.mean((0, 2, 3), keepdims=True) for v in (2 * diff, 2 * diff * unit))
    np.testing.assert_allclose(x_diff, (2 * diff - mean - unit * along) * factor, rtol=1e-5)
    np.testing.assert_allclose(runner.layer.blobs[0].diff.ravel(), (diff * unit).sum((0, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_segnets_takes_the_statistics_of_the_batch_in_both_phases(x, phase):
    runner = Runner(SEGNET % "", [x], tops=3, phase=phase)
    y, *stats = runner.forward()
    assert [blob.shape for blob in runner.layer.blobs] == [(1, 3, 1, 1)] * 2
    mean, variance = (values[:, None, None] for values in moments(x))
    np.testing.assert_allclose(y, 2 * (x - mean) / np.sqrt(variance) + 1, rtol=1e-4, atol=1e-5)
    for got, values in zip(stats, (mean, variance), strict=True):
        np.testing.assert_allclose(got[0], values, rtol=1e-5)


def test_inference_is_scale_and_shift(x):
    np.testing.assert_allclose(
        Runner(SEGNET % "bn_mode: INFERENCE", [x]).forward()[0], 2 * x + 1, rtol=1e-5, atol=1e-6
    )


NET = """
    layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 3 dim: 6 dim: 5 }} }} }}
    layer {{ name: "conv" type: "Convolution" bottom: "x" top: "conv"
             convolution_param {{ num_output: 4 kernel_size: 3 weight_filler {{ type: "xavier" }} }} }}
    layer {{ name: "bn" type: "BN" bottom: "conv" top: "conv" bn_param {{ {} }} {} }}
    layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "conv" }}
"""


def net_of(tmp_path, fields="", more="", phase=TEST, engine="fast"):
    path = tmp_path / "net.prototxt"
    path.write_text(NET.format(fields, more))
    return caffe.Net(str(path), phase, engine=engine)


@pytest.mark.parametrize(
    "fields", ["slope_filler { value: 2 }", "frozen: true", "bn_mode: INFERENCE", "bn_mode: LEARN"]
)
@pytest.mark.parametrize("engine", ["fast", "torch"])
def test_engines_agree_with_strict(tmp_path, fields, engine):
    if engine == "torch":
        pytest.importorskip("torch")
    nets = [net_of(tmp_path, fields, engine=name) for name in (engine, "strict")]
    rng = np.random.RandomState(3)
    values = {name: rng.uniform(0.5, 2, blob.shape) for name, blob in named_params(nets[0])}
    x = rng.standard_normal((2, 3, 6, 5))
    for net in nets:
        for name, blob in named_params(net):
            blob.data[...] = values[name]
        net.blobs["x"].data[...] = x
    tops = [net.forward()["conv"] for net in nets]
    assert np.ptp(tops[1]) > 0
    np.testing.assert_allclose(tops[0], tops[1], rtol=1e-5, atol=1e-5)


def named_params(net):
    return [(f"{layer}:{i}", blob) for layer, blobs in net.params.items() for i, blob in enumerate(blobs)]


@pytest.mark.parametrize(
    "fields, multipliers", [("momentum: 0.9", [1, 1, 0, 0]), ("frozen: true", [0, 0, 0, 0])]
)
def test_what_is_not_learned(tmp_path, fields, multipliers):
    net = net_of(tmp_path, fields, "param { lr_mult: 1 } param {} param { lr_mult: 1 }", phase=TRAIN)
    specs = net.layer_dict["bn"].layer_param.param
    assert [spec.lr_mult for spec in specs] == multipliers == [spec.decay_mult for spec in specs]


@pytest.mark.parametrize(
    "layer, tops, message",
    [
        (PSPNET % "bn_mode: LEARN", 1, "bn_param has bn_mode of SegNet's BN and bias_filler of PSPNet's"),
        (PSPNET % "", 2, "only SegNet's BN has tops for mean and variance"),
    ],
)
def test_errors(layer, tops, message):
    with pytest.raises(LayerError) as error:
        Runner(layer, [np.zeros((2, 3, 4))], tops=tops)
    assert message in str(error.value)


def test_another_number_of_channels():
    with pytest.raises(LayerError) as error:
        Runner('type: "BN"', [np.zeros((2, 3, 5))]).feed([np.zeros((2, 4, 5))])
    assert "has 4 channels, the params 3" in str(error.value)


@pytest.mark.parametrize("shape", [(1, 4), (1, 4, 1, 1)])
def test_weights_of_both_shapes_load(tmp_path, shape):
    """yjxiong's Caffe has them as 1 x C, PSPNet's and SegNet's as 1 x C x 1 x 1."""
    weights = caffe.proto.caffe_pb2.NetParameter()
    layer = weights.layer.add(name="bn", type="BN")
    for i in range(4):
        blob = layer.blobs.add(data=[i + 1, 2, 3, 4])
        blob.shape.dim.extend(shape)
    path = tmp_path / "weights.caffemodel"
    path.write_bytes(weights.SerializeToString())
    net = net_of(tmp_path)
    net.copy_from(str(path))
    np.testing.assert_array_equal(net.params["bn"][2].data.ravel(), [3, 2, 3, 4])
