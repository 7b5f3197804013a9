"""Gradients that are not the true ones, what forwards remember, and wrong params, of layers of single projects."""

import numpy as np
import pytest

from caffe_compat.blob import Blob
from caffe_compat.errors import CaffeCompatError, GraphError, LayerError
from caffe_compat.layers.base import TEST
from caffe_compat.layers.common.fillers import fill
from caffe_compat.layers.not_built import NOT_BUILT
from caffe_compat.layers.registry import layer_class, layer_type_list
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


@pytest.mark.parametrize("name", ["DocData", "GANLoss", "MCWindowData", "TRT", "CapsuleLen"])
def test_what_is_not_there_says_the_way_out(name):
    with pytest.raises(GraphError, match=f"layer type '{name}': "):
        layer_class(name)


def test_what_is_not_there_is_not_there_in_truth():
    assert not {*NOT_BUILT} & {*layer_type_list()}


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


def test_corner_crop_hands_down_the_mean_of_what_overlaps():
    text = 'type: "CornerCrop" corner_crop_param { crop_h: 1 crop_w: 3 position: "upperleft" position: "center" }'
    runner = Runner(text, [np.arange(15.0).reshape(1, 1, 3, 5)], tops=2, dtype=np.float64)
    first, second = runner.forward()
    np.testing.assert_array_equal(first[0, 0], [[0, 1, 2]])
    np.testing.assert_array_equal(second[0, 0], [[6, 7, 8]])
    text = text.replace("crop_h: 1 crop_w: 3", "crop_size: 1").replace('"center"', '"upperleft"')
    runner = Runner(text, [np.arange(9.0).reshape(1, 1, 3, 3)], tops=2, dtype=np.float64)
    runner.forward()
    (diff,) = runner.backward([np.full((1, 1, 1, 1), 2.0), np.full((1, 1, 1, 1), 5.0)])
    np.testing.assert_array_equal(diff[0, 0], [[3.5, 0, 0], [0, 0, 0], [0, 0, 0]])


def test_the_first_bottom_of_an_outer_product_learns_nothing():
    a, b, seed = X[:, :2], X[:, 1:], np.random.RandomState(3).standard_normal((3, 2, 3, 1))
    runner = Runner('type: "OuterProduct"', [a, b], dtype=np.float64)
    runner.forward()
    a_diff, b_diff = runner.backward([seed])
    assert not a_diff.any()
    np.testing.assert_allclose(b_diff, (seed[..., 0] * a[:, :, None]).sum(axis=1))


def test_create_mask_vector_counts_the_images_before():
    labels = np.array([[2, 2, 0, 9], [1, 1, 1, -1]]).reshape(2, 1, 2, 2)
    text = 'type: "CreateMaskVector" create_mask_vector_param { num_label: 4 pool: %s }'
    (top,) = Runner(text % "AVE", [labels]).forward()
    np.testing.assert_array_equal(top[:, :, 0, 0], [[0.25, 0, 0.5, 0], [0.25, 0.75, 0.5, 0]])
    (top,) = Runner(text % "MAX", [labels]).forward()
    np.testing.assert_array_equal(top[:, :, 0, 0], [[1, 0, 1, 0], [1, 1, 1, 0]])


def test_dtow_by_diagonals():
    """Channel k of a block of 3 x 3 is the k-th pixel of its diagonals, from the top row down to the left."""
    text = 'type: "Dtow" dtow_param { psize: 3 method: LDTOW }'
    (top,) = Runner(text, [np.arange(9.0).reshape(1, 9, 1, 1)]).forward()
    np.testing.assert_array_equal(top[0, 0], [[0, 1, 3], [2, 4, 6], [5, 7, 8]])


def test_grid_pooling_of_parts_that_overlap():
    (top,) = Runner(
        'type: "GRIDPooling" grid_pooling_param { pooled_h: 1 pooled_w: 2 }', [np.array([[[[1.0, 7, 3]]]])]
    ).forward()
    np.testing.assert_array_equal(top[0, 0], [[7, 7]])
    many = "type: 'GRIDPooling' grid_pooling_param { pooled_h: 100000 pooled_w: 1 }"
    (top,) = Runner(many, [np.array([3.0, 5]).reshape(1, 1, 2, 1)]).forward()
    np.testing.assert_array_equal(np.unique(top, return_counts=True), [[3, 5], [50000, 50000]])


@pytest.mark.parametrize(
    ("layer", "shapes", "tops", "message"),
    [
        ('"Dtow" dtow_param { psize: 0 }', [(1, 4, 2, 2)], 1, "psize is 0 and ngroup 1"),
        ('"Dtow"', [(1, 6, 2, 2)], 1, r"multiples of \(4, 1, 1\)"),
        ('"Dtow" dtow_param { method: LWTOD ngroup: 2 }', [(1, 2, 3, 2)], 1, r"multiples of \(2, 2, 2\)"),
        (
            '"CornerCrop" corner_crop_param { crop_size: 2 }',
            [(1, 2, 4, 4)],
            1,
            "expected one for each of 1 tops",
        ),
        (
            '"CornerCrop" corner_crop_param { crop_size: 2 position: "middle" }',
            [(1, 2, 4, 4)],
            1,
            r"the positions are \['middle'\]",
        ),
        (
            '"CornerCrop" corner_crop_param { crop_h: 2 position: "center" }',
            [(1, 2, 4, 4)],
            1,
            "the crop is 2 x 0",
        ),
        (
            '"CornerCrop" corner_crop_param { crop_size: 2 position: "center" }',
            [(1, 2, 5, 4)],
            1,
            "by even numbers larger",
        ),
        ('"OuterProduct"', [(2, 3), (3, 2)], 1, "expected N x A and N x B"),
        ('"OuterProduct"', [(2, 3), (2, 2, 2)], 1, "expected N x A and N x B"),
        ('"CreateMaskVector" create_mask_vector_param { num_label: 0 }', [(2, 1, 3, 4)], 1, "num_label is 0"),
        ('"CreateMaskVector"', [(2, 2, 3, 4)], 1, "expected N x 1 x H x W"),
        ('"GRIDPooling" grid_pooling_param { pooled_h: 2 }', [(2, 2, 3, 4)], 1, r"pooled_w are \(2, 0\)"),
        ('"GRIDPooling" grid_pooling_param { pooled_h: 2 pooled_w: 2 }', [(2, 2, 0, 4)], 1, "with pixels"),
        ('"PixelConv"', [(2, 8, 3, 4), (2, 2, 3, 4)], 1, "k odd"),
        ('"PixelConv"', [(2, 18, 3, 4), (2, 2, 4, 3)], 1, "k odd"),
        ('"AttPooling"', [(2, 2, 3, 4), (2, 9, 3, 4)], 1, "LOCAL needs a kernel_size"),
        ('"AttPooling" att_pooling_param { kernel_size: 0 }', [(2, 2, 3, 4), (2, 9, 3, 4)], 1, "at least 1"),
        (
            '"AttPooling" att_pooling_param { kernel_size: 3 }',
            [(2, 2, 3, 4), (2, 9, 3, 4)],
            1,
            "there are 1 x 2 of them",
        ),
        (
            '"AttPooling" att_pooling_param { att_mode: GLOBAL }',
            [(2, 2, 3, 4), (2, 9, 3, 4)],
            1,
            "as high as wide",
        ),
        (
            '"AttPooling" att_pooling_param { att_mode: GLOBAL stride: 2 }',
            [(2, 2, 3, 3), (2, 9, 3, 4)],
            1,
            "stride is 2, remove it",
        ),
        (
            '"AttPooling" att_pooling_param { att_mode: GLOBAL kernel_size: 2 }',
            [(2, 2, 3, 3), (2, 4, 3, 4)],
            1,
            "att_mode: GLOBAL takes 1 x 1",
        ),
        ('"RelevantLoss"', [(2, 6), (2, 3, 2)], 1, "expected N x C, the same twice"),
        ('"ReNetLSTM"', [(2, 2, 3, 4)], 1, "num_output is missing"),
        ('"ReNetLSTM" renet_lstm_param { num_output: 2 patch_width: 0 }', [(2, 2, 3, 4)], 1, "at least 1"),
        ('"ReNetLSTM" renet_lstm_param { num_output: 2 patch_height: 2 }', [(2, 2, 3, 4)], 1, "of patches"),
        ('"ReNetLSTM" renet_lstm_param { num_output: 2 }', [(2, 2, 3)], 1, "expected N x C x H x W"),
    ],
)
def test_what_does_not_fit_layers_of_single_projects(layer, shapes, tops, message):
    with pytest.raises(LayerError, match=message):
        Runner(f"type: {layer}", [np.ones(shape) for shape in shapes], tops)


def test_windows_of_attention_beyond_the_map_cost_no_time():
    text = 'type: "AttPooling" att_pooling_param { kernel_size: 1 pad: 1000000000 stride: 1000000002 }'
    (top,) = Runner(text, [np.ones((1, 2, 3, 3)), np.ones((1, 1, 2, 2))]).forward()
    np.testing.assert_array_equal(top[0, 0], [[0, 0], [0, 1]])


def test_relevant_loss_starts_anew():
    """Two landmarks: 3 and 1 off in x, 0 and 2 in y; a second forward has the same gradient."""
    runner = Runner('type: "RelevantLoss"', [np.array([[3.0, 1, 0, 2]]), np.zeros((1, 4))], dtype=np.float64)
    for _ in range(2):
        assert runner.forward()[0] == (4 + 4) / 2
        diffs = runner.backward([np.array(0.5)])
        np.testing.assert_array_equal(diffs[0], [[1, -1, -1, 1]])
        np.testing.assert_array_equal(diffs[1], -diffs[0])
