"""Bags of instances: equal ones, certain ones, rows that are left over, and what is wrong."""

import warnings

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.registry import create_layer
from caffe_compat.prototxt.reader import parse_net
from layers.harness import Runner, parse

LOWEST = np.finfo(np.float32).min


def test_equal_ones_all_take_the_gradient():
    runner = Runner('type: "MIL"', [np.array([[[[1.0, 4, 2, 4]]], [[[3, 3, 0, 1]]]])])
    runner.forward()
    (diff,) = runner.backward([np.array([5.0, 7]).reshape(2, 1, 1, 1)])
    np.testing.assert_array_equal(diff.reshape(2, 4), [[0, 5, 0, 5], [7, 7, 0, 0]])


def test_of_what_is_certain_the_gradient_is_whole():
    runner = Runner('type: "MIL" mil_param { type: NOR }', [np.array([[[[1.0, 0.5]]], [[[0.5, 0.2]]]])])
    np.testing.assert_allclose(runner.forward()[0].ravel(), [1, 0.6], rtol=1e-6)
    (diff,) = runner.backward([np.full((2, 1, 1, 1), 3.0)])
    np.testing.assert_allclose(diff.reshape(2, 2), [[3, 0], [3 * 0.8, 3 * 0.5]], rtol=1e-5)


@pytest.mark.parametrize("text", ['"MIL"', '"MIL" mil_param { context_per_roi: 2 }'])
def test_what_is_no_number_is_never_the_greatest(text):
    x = np.array([[np.nan, 2, np.nan, -np.inf], [5, np.nan, np.nan, np.nan]])
    runner = Runner(f"type: {text}", [x if "context" in text else x.T.reshape(1, 4, 2, 1)])
    np.testing.assert_array_equal(runner.forward()[0].ravel(), [5, 2, LOWEST, LOWEST])
    (diff,) = runner.backward([np.full((1, 4, 1, 1), 3.0)])
    want = [[0, 3, 0, 0], [3, 0, 0, 0]]
    np.testing.assert_array_equal(diff if "context" in text else diff[0, :, :, 0].T, want)


@pytest.mark.parametrize("wrong", [1.5, -0.1, np.nan])
def test_noisy_or_is_of_probabilities(wrong):
    runner = Runner('type: "MIL" mil_param { type: NOR }', [np.array([[[[0.5, 0.2]]], [[[0.5, wrong]]]])])
    with pytest.raises(LayerError, match="the bottom has others than from 0 to 1"):
        runner.forward()


def test_the_fields_say_which_form_it_is():
    kinds = [
        create_layer(parse(f'type: "MIL" mil_param {{ {p} }}'), 0)
        for p in ("type: MAX", "context_per_roi: 2")
    ]
    assert [type(layer).__name__ for layer in kinds] == ["MIL", "MILOfRows"]


def test_rows_that_make_no_bag_take_no_gradient():
    runner = Runner('type: "MIL" mil_param { context_per_roi: 2 }', [np.arange(10.0).reshape(5, 2)])
    np.testing.assert_array_equal(runner.forward()[0].reshape(2, 2), [[2, 3], [6, 7]])
    (diff,) = runner.backward([np.ones((2, 2, 1, 1))])
    np.testing.assert_array_equal(diff, [[0, 0], [1, 1], [0, 0], [1, 1], [0, 0]])


def test_a_probability_of_0_costs_as_much_as_a_small_one():
    runner = Runner('type: "CrossEntropyLoss"', [np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])])
    np.testing.assert_allclose(runner.forward()[0], -np.log(1e-5), rtol=1e-5)
    (diff, _) = runner.backward([np.array(2.0)], [True, False])
    np.testing.assert_allclose(diff, [[-1e5, 1e5]], rtol=1e-5)


@pytest.mark.parametrize(
    "text, shapes, message",
    [
        ('"MIL"', [(2,)], r"the bottom has the shape \(2,\)"),
        ('"MIL"', [(2, 3, 0, 4)], "with pixels"),
        ('"MIL" mil_param { context_per_roi: 2 }', [(4, 3, 2, 1)], "expected N x C"),
        ('"MIL" mil_param { context_per_roi: 0 }', [(4, 3)], "one of them has to be at least 1"),
        ('"MIL" mil_param { context_per_roi: 2 instances_per_bag: 2 }', [(4, 3)], "one of them has to be"),
        ('"MIL" mil_param { context_per_roi: 2 type: NOR }', [(4, 3)], "mil_param.type has no effect here"),
        ('"CrossEntropyLoss"', [(4, 3), (4,)], "For labels write MultinomialLogisticLoss"),
        ('"CrossEntropyLoss"', [(4, 3), (4, 2)], r"bottom\[1\] \(4, 2\)"),
    ],
)
def test_what_is_wrong(text, shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(f"type: {text}", [np.ones(shape) for shape in shapes])


LOSS = 'layer { name: "l" type: "CrossEntropyLoss" bottom: "p" bottom: "t" top: "l" }'


def test_a_name_of_six_losses_is_told(tmp_path):
    from caffe_compat.prototxt.dialects import explicit

    net, _ = parse_net(LOSS)
    with pytest.warns(UserWarning, match=r"layer 'l' \(CrossEntropyLoss\) is taken for visual-concepts'"):
        explicit(net, None)
    net, _ = parse_net('layer { name: "m" type: "MIL" bottom: "x" top: "p" }' + LOSS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explicit(net, None)
