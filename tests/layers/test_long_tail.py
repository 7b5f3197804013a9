"""Gradients that are not the true ones, what forwards remember, and wrong params, of layers of single projects."""

import numpy as np
import pytest

from caffe_compat.blob import Blob
from caffe_compat.errors import CaffeCompatError, GraphError, LayerError
from caffe_compat.layers.base import TEST
from caffe_compat.layers.common.fillers import fill
from caffe_compat.layers.registry import layer_class
from caffe_compat.net import Net
from caffe_compat.prototxt.caffe_pb2 import TRAIN, FillerParameter
from caffe_compat.rng import set_random_seed
from layers.harness import Runner

X = np.random.RandomState(2).standard_normal((3, 4))


def test_channel_scale_switches():
    numbers, seed = np.array([2.0, 3.0, 5.0]), np.random.RandomState(3).standard_normal((3, 4))
    for flag, want in (
        ("do_forward", (seed * numbers[:, None], (seed * X).sum(axis=1))),
        ("do_backward_feature", (seed, (seed * X).sum(axis=1))),
        ("do_backward_scale", (seed * numbers[:, None], 0)),
    ):
        text = f"type: 'ChannelScale' channel_scale_param {{ {flag}: false }}"
        runner = Runner(text, [X, numbers], dtype=np.float64)
        np.testing.assert_allclose(runner.forward()[0], X if flag == "do_forward" else X * numbers[:, None])
        for got, value in zip(runner.backward([seed]), want, strict=True):
            np.testing.assert_allclose(got, np.broadcast_to(value, got.shape))


def test_the_gradient_is_turned_round_more_and_more():
    text = (
        "type: 'GradientScaler' gradient_scaler_param { lower_bound: 1 upper_bound: 3 alpha: 2 max_iter: 2 }"
    )
    runner, got = Runner(text, [X], dtype=np.float64), []
    for _ in range(4):
        runner.forward()
        got.append(runner.backward([np.ones((3, 4))])[0][0, 0])
    want = [-(2 * 2 / (1 + np.exp(-2 * p)) - 2 + 1) for p in (0, 0.5, 1, 1)]
    assert got == pytest.approx(want)
    test = Runner(text, [X], phase=TEST)
    test.forward()
    assert test.layer.get_state()["iteration"] == 0


def test_the_gradient_is_scaled_by_a_number():
    runner = Runner(
        "type: 'GradientScaler' gradient_scaler_param { scale_factor: -0.25 }", [X], dtype=np.float64
    )
    for _ in range(2):
        np.testing.assert_array_equal(runner.forward()[0], X)
        np.testing.assert_array_equal(runner.backward([X])[0], -0.25 * X)


def test_the_width_is_that_of_the_first_batch():
    """And the gradient is that of the mean over the draws, the width taken as a number."""
    a, b = np.random.RandomState(3).standard_normal((2, 4, 3))

    def loss_and_slope(fixed: bool, step=0.0):
        text = f"type: 'MMDLoss' mmd_param {{ kernel_num: 3 fix_gamma: {str(fixed).lower()} }}"
        runner = Runner(text, [a, b], dtype=np.float64)
        runner.forward()
        gamma = runner.layer.gamma
        moved = 3 * a
        moved[1, 2] += step
        runner.feed([moved, b])
        set_random_seed(5)
        loss = runner.forward()[0]
        assert (runner.layer.gamma == gamma) == fixed
        return loss, runner.backward([np.array(1.0)])[0][1, 2]

    loss_and_slope(False)
    step = 1e-5
    above, _ = loss_and_slope(True, step)
    below, _ = loss_and_slope(True, -step)
    assert loss_and_slope(True)[1] == pytest.approx((above - below) / (2 * step) / 4, rel=1e-5)


def test_items_that_are_not_selected():
    runner = Runner("type: 'SelectChannels' filter_param { num_output: 2 }", [X], dtype=np.float64)
    assert runner.layer.blobs[0].data.tolist() == [1, 1, 1, 1]
    runner.layer.blobs[0].data[...] = [0, 1, 0, 2]
    np.testing.assert_array_equal(runner.forward()[0], X[:, [1, 3]])
    np.testing.assert_array_equal(runner.backward([np.ones((3, 2))])[0], [[0, 1, 0, 1]] * 3)
    runner.layer.blobs[0].data[...] = [0, 1, 0, 0]
    with pytest.raises(LayerError, match="1 numbers of its param are not 0, num_output is 2"):
        runner.forward()


def test_a_leaky_relus_filler():
    blobs = [Blob((30, 40)) for _ in range(3)]
    for blob, text in zip(blobs, ("", "alpha", "negative_slope"), strict=True):
        set_random_seed(3)
        fill(blob, FillerParameter(type="msra", **({text: 2} if text else {})))
    for blob in blobs[1:]:
        np.testing.assert_allclose(blob.data, blobs[0].data / np.sqrt(5), rtol=1e-5)
    with pytest.raises(CaffeCompatError, match="alpha and negative_slope, which are one"):
        fill(blobs[0], FillerParameter(type="msra", alpha=2, negative_slope=2))


def test_a_param_without_gradient_below_one_that_learns(tmp_path):
    path = tmp_path / "net.prototxt"
    text = "bottom: '{}' top: '{}' inner_product_param {{ num_output: 2 bias_term: false }}"
    path.write_text(f"""
        layer {{ name: 'x' type: 'Input' top: 'x' input_param {{ shape {{ dim: 3 dim: 4 }} }} }}
        layer {{ name: 'a' type: 'InnerProduct' {text.format("x", "a")} param {{ param_propagate_down: false }} }}
        layer {{ name: 'b' type: 'InnerProduct' {text.format("a", "b")} param {{ lr_mult: 2 }} }}
        layer {{ name: 'l' type: 'Reduction' bottom: 'b' top: 'l' loss_weight: 1 }}
    """)
    plan = Net(str(path), TRAIN).plan
    assert [p.param_propagate_down for p in plan] == [[], [False], [True], []]
    assert plan[2].propagate_down == [True]


@pytest.mark.parametrize("name", ["CPMData", "DocData", "GANLoss", "MCWindowData", "TRT"])
def test_what_is_not_there_says_the_way_out(name):
    with pytest.raises(GraphError, match=f"layer type '{name}': "):
        layer_class(name)


@pytest.mark.parametrize(
    ("text", "bottoms", "message"),
    [
        ("'Mixup' mixup_param { alpha: 0 }", [X, X], "alpha is 0"),
        ("'Mixup'", [X, np.ones(3)], "there are 0 classes"),
        ("'Mixup'", [X, np.ones(2)], "a label for each example"),
        ("'Flip'", [np.ones((1, 1, 1, 2, 2))], "at most 4 axes"),
        ("'SelectChannels' filter_param { num_output: 5 }", [X], "num_output is 5"),
        ("'ChannelScale'", [X, X], "one number for each pixel"),
        ("'Insanity' insanity_param { lb: 3 ub: 2 }", [X], "lb is 3, ub 2"),
        ("'Insanity' insanity_param { lb: -2 ub: 2 }", [X], "their sum not be 0"),
        ("'Noise' noise_param { gaussian_std: -1 }", [X], "gaussian_std is -1"),
        ("'Local'", [np.ones((1, 2, 3, 4))], "must be at least 1"),
        ("'Local' local_param { num_output: 1 kernel_size: 4 }", [np.ones((1, 2, 3, 4))], "no smaller than"),
        ("'GradientScaler' gradient_scaler_param { max_iter: 0 }", [X], "max_iter is 0"),
        (
            "'GradientScaler' gradient_scaler_param { scale_factor: 1 alpha: 2 max_iter: 3 }",
            [X],
            "scale_factor goes without alpha, max_iter",
        ),
        ("'ManhattanLoss'", [X, X[:, :2]], "bottom\\[0\\] has the shape"),
        ("'ConsistencyLoss'", [X, X], "expected N x 4J"),
        ("'SoftmaxCrossEntropyLoss'", [X, X[:, :2]], "bottom\\[0\\] has the shape"),
        ("'WeightEuclideanLoss'", [X, X], "expected N x 136 each"),
        ("'MMDLoss'", [X, X[:, :2]], "examples of one size"),
        ("'MMDLoss' mmd_param { kernel_num: 0 }", [X, X], "kernel_num is 0"),
    ],
)
def test_what_is_wrong(text, bottoms, message):
    with pytest.raises(LayerError, match=message):
        Runner(f"type: {text}", bottoms, tops=2)


def test_places_in_a_local_layer_are_fixed():
    runner = Runner("type: 'Local' local_param { num_output: 1 kernel_size: 2 }", [np.ones((1, 2, 3, 4))])
    with pytest.raises(LayerError, match="the params are for N x"):
        runner.feed([np.ones((1, 2, 4, 4))])
