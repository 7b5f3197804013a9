"""Reshape: which shape comes out, and that the elements stay what they are, in shared memory."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def layer(dims, params=""):
    shape = " ".join(f"dim: {dim}" for dim in dims)
    return f'type: "Reshape" reshape_param {{ shape {{ {shape} }} {params} }}'


@pytest.mark.parametrize(
    ("dims", "params", "shape"),
    [
        ([2, 3, 4, 5], "", (2, 3, 4, 5)),
        ([-1], "", (120,)),
        ([0, -1], "", (2, 60)),
        ([0, 0, 20], "", (2, 3, 20)),
        ([8, 0, -1], "", (8, 3, 5)),
        ([2, 2, -1, 0], "", (2, 2, 6, 5)),
        ([-1], "axis: 1 num_axes: 2", (2, 12, 5)),
        ([2, -1], "axis: 2 num_axes: 1", (2, 3, 2, 2, 5)),
        ([0, 1], "axis: 1 num_axes: 1", (2, 3, 1, 4, 5)),
        ([1], "axis: -1", (2, 3, 4, 5, 1)),
        ([20], "axis: -3", (2, 3, 20)),
        ([1, 1], "axis: 1 num_axes: 0", (2, 1, 1, 3, 4, 5)),
        ([1], "axis: -5 num_axes: 0", (1, 2, 3, 4, 5)),
        ([], "num_axes: 0", (2, 3, 4, 5)),
    ],
)
def test_elements_keep_their_order_and_share_memory(dims, params, shape):
    x = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
    runner = Runner(layer(dims, params), [x])
    (y,) = runner.forward()
    assert y.shape == shape
    assert y.ravel().tolist() == list(range(120))
    assert np.shares_memory(runner.top[0].data, runner.bottom[0].data)
    (diff,) = runner.backward([-y])
    np.testing.assert_array_equal(diff, -x)


def test_the_shape_follows_the_bottom():
    runner = Runner(layer([0, 4, -1]), [np.zeros((2, 8, 3))])
    runner.feed([np.zeros((5, 2, 6))])
    assert runner.top[0].shape == (5, 4, 3)


@pytest.mark.parametrize(
    ("dims", "params", "message"),
    [
        ([-1, 3, -1], "", r"\[-1, 3, -1\] has several dims of -1"),
        ([-2], "", "has a dim of -2; the least is -1"),
        ([7, 17], "", r"\(2, 3, 4, 5\) has 120 elements; they do not fit into \(7, 17\)"),
        ([7, -1], "", r"120 elements; \(7, -1\) takes a multiple of 7 elements, as \(7, 1\) has"),
        (
            [-1, 10, 0],
            "axis: 1",
            r"120 elements; \(2, -1, 10, 5\) takes a multiple of 100 elements, as \(2, 1, 10, 5\) has",
        ),
        ([-1, 10, 14, 0], "", r"\(-1, 10, 14, 5\) takes a multiple of 700 elements, as \(1, 10, 14, 5\) has"),
        ([120, 1, 1, 1, 0], "", r"dim 4 of .* is 0, but a bottom of \(2, 3, 4, 5\) has no axis 4"),
        ([-1], "axis: 5", "axis 5 and num_axes -1 are out of range"),
        ([-1], "axis: -6", "axis -6 and num_axes -1 are out of range"),
        ([-1], "axis: 2 num_axes: 3", "axis 2 and num_axes 3 are out of range"),
        ([-1], "num_axes: -2", "num_axes -2 are out of range"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(dims, params, message):
    with pytest.raises(LayerError, match=message):
        Runner(layer(dims, params), [np.zeros((2, 3, 4, 5))])


def test_nothing_can_be_inferred_from_no_elements():
    with pytest.raises(LayerError, match=r"they do not fit|0 elements"):
        Runner(layer([0, 5]), [np.zeros((3, 0, 2))])
    assert Runner(layer([0, -1]), [np.zeros((3, 0, 2))]).top[0].shape == (3, 0)
