"""BatchNorm against plain numpy in float64: both kinds of statistics, the moving sums, and lr_mult 0."""

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.prototxt.reader import parse_net
from layers.harness import Runner


def columns(x):
    """One row a channel."""
    return np.moveaxis(x.astype(float).reshape(*x.shape[:2], -1), 1, 0).reshape(x.shape[1], -1)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (7, 3), (3, 2, 5)])
def test_statistics_of_the_batch(shape, in_place):
    x, diff = np.random.RandomState(3).standard_normal((2, *shape)).astype(np.float32)
    x += 5
    runner = Runner('type: "BatchNorm" batch_norm_param { eps: 0.01 }', [x], in_place=in_place)
    rows, seeds = columns(x), columns(diff)
    deviation = np.sqrt(((rows - rows.mean(1, keepdims=True)) ** 2).mean(1, keepdims=True) + 0.01)
    y = (rows - rows.mean(1, keepdims=True)) / deviation
    np.testing.assert_allclose(columns(runner.forward()[0]), y, rtol=1e-4, atol=1e-5)
    want = (seeds - seeds.mean(1, keepdims=True) - y * (seeds * y).mean(1, keepdims=True)) / deviation
    np.testing.assert_allclose(columns(runner.backward([diff])[0]), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 3, 5), (6, 3), (1, 3)])
def test_moving_sums(shape):
    rng = np.random.RandomState(3)
    runner = Runner('type: "BatchNorm" batch_norm_param { moving_average_fraction: 0.75 }', [np.zeros(shape)])
    mean, variance, weight = np.zeros(3), np.zeros(3), 0.0
    for _ in range(3):
        x = rng.standard_normal(shape).astype(np.float32)
        runner.feed([x])
        runner.forward()
        rows = columns(x)
        unbiased = rows.var(1) * rows.shape[1] / max(1, rows.shape[1] - 1)
        mean, variance, weight = mean * 0.75 + rows.mean(1), variance * 0.75 + unbiased, weight * 0.75 + 1
    for blob, want in zip(runner.layer.blobs, (mean, variance, weight), strict=True):
        np.testing.assert_allclose(blob.data, np.broadcast_to(want, blob.shape), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(("phase", "params"), [(TEST, ""), (TRAIN, "use_global_stats: true")])
def test_statistics_of_the_params(phase, params, in_place):
    rng = np.random.RandomState(3)
    x, diff = rng.standard_normal((2, 2, 3, 4, 5)).astype(np.float32)
    layer = f'type: "BatchNorm" batch_norm_param {{ {params} eps: 0.01 }}'
    runner = Runner(layer, [x], phase=phase, in_place=in_place)
    sums = [rng.standard_normal(3), rng.uniform(2, 9, 3), [4]]
    for blob, value in zip(runner.layer.blobs, sums, strict=True):
        blob.data[...] = value
    deviation = np.sqrt(sums[1] / 4 + 0.01).reshape(3, 1, 1)
    want = (x - (sums[0] / 4).reshape(3, 1, 1)) / deviation
    np.testing.assert_allclose(runner.forward()[0], want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(runner.backward([diff])[0], diff / deviation, rtol=1e-5)
    for blob, value in zip(runner.layer.blobs, sums, strict=True):
        np.testing.assert_array_equal(blob.data, np.asarray(value, np.float32))


def test_params_without_weight_count_zero():
    runner = Runner('type: "BatchNorm" batch_norm_param { eps: 0.25 }', [np.ones((2, 3))], phase=TEST)
    runner.layer.blobs[0].data[...] = 7
    assert (runner.forward()[0] == 2).all()


def test_a_large_mean_does_not_hide_the_deviation():
    x = (np.random.RandomState(1).standard_normal((4, 3, 50)) + 1000).astype(np.float32)
    (y,) = Runner('type: "BatchNorm"', [x]).forward()
    np.testing.assert_allclose(columns(y).std(1), 1, rtol=1e-4)
    np.testing.assert_allclose(columns(y).mean(1), 0, atol=1e-4)


NET = 'input: "x" input_shape {{ dim: 2 dim: 3 }} layer {{ name: "l" type: "BatchNorm" bottom: "x" top: "y" {} }}'


def net(params):
    param, source = parse_net(NET.format(params))
    return caffe.Net.from_param(param, source)


@pytest.mark.parametrize("params", ["", "param { lr_mult: 0 }", "param { lr_mult: 0 } param { lr_mult: 0 }"])
def test_the_statistics_are_not_learned(params):
    assert [param.lr_mult.value for param in net(params).learnable] == [0, 0, 0]


def test_statistics_that_should_be_learned():
    with pytest.raises(LayerError, match=r"param 1 has lr_mult 0\.5, but is a statistic that is not learned"):
        net("param { lr_mult: 0 } param { lr_mult: 0.5 }")


def test_other_channels_later():
    with pytest.raises(LayerError, match="has 4 channels, the params 3"):
        Runner('type: "BatchNorm"', [np.zeros((2, 3, 5))]).feed([np.zeros((2, 4, 5))])


NV = 'type: "BatchNorm" batch_norm_param { scale_bias: true moving_average_fraction: 0.75 eps: 0.01 }'


def test_averages_of_nvcaffe():
    """The first two forwards set them, later ones move them; the variance is not unbiased, and has eps in it."""
    rng = np.random.RandomState(3)
    runner = Runner(NV, [np.zeros((4, 3, 5))])
    mean = variance = 0
    for i in range(4):
        x = rng.standard_normal((4, 3, 5)).astype(np.float32)
        runner.feed([x])
        runner.forward()
        kept, rows = (0.75 if i > 1 else 0), columns(x)
        mean = mean * kept + rows.mean(1) * (1 - kept)
        variance = variance * kept + (rows.var(1) + 0.01) * (1 - kept)
        if i == 2:
            state = runner.layer.get_state()
    for blob, want in zip(runner.layer.blobs, (mean, variance, [1]), strict=False):
        np.testing.assert_allclose(blob.data, want, rtol=1e-5, atol=1e-6)
    assert state["forwards"] == 3
    again = Runner(NV, [x])
    again.layer.set_state(state)
    again.forward()
    assert not np.allclose(again.layer.blobs[0].data, columns(x).mean(1))


def test_nvcaffe_teaches_scale_and_bias_whatever_the_file_says():
    specs = Runner(NV + "param { lr_mult: 3 }" * 4, [np.zeros((2, 3))]).layer.layer_param.param
    assert [(spec.lr_mult, spec.decay_mult) for spec in specs] == [(0, 0)] * 3 + [(1, 1)] * 2


def test_fillers_of_scale_and_bias():
    def values(fields):
        runner = Runner(f'type: "BatchNorm" batch_norm_param {{ {fields} }}', [np.zeros((2, 3))])
        return [float(blob.data[0]) for blob in list(runner.layer.blobs)[2:]]

    assert values("scale_bias: true") == values("bias_filler { }") == [1, 1, 0]
    assert values("scale_filler { value: 3 }") == [1, 3, 0]
    assert values("bias_filler { value: 2 }") == [1, 1, 2]
