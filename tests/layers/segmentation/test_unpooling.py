"""Unpooling: behind the pooling that gives its mask, gradients against plain loops, and errors."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

F = np.float32


def layer(params: str) -> str:
    return f'type: "Unpooling" unpooling_param {{ {params} }}'


def test_maxima_come_back_to_where_the_pooling_took_them():
    x = np.random.RandomState(5).permutation(96).reshape(2, 2, 4, 6).astype(F)
    pooled, mask = Runner('type: "Pooling" pooling_param { kernel_size: 2 stride: 2 }', [x], tops=2).forward()
    (top,) = Runner(layer("kernel_size: 2 stride: 2 unpool_h: 4 unpool_w: 6"), [pooled, mask]).forward()
    np.testing.assert_array_equal(
        top[top != 0], np.sort(x[top != 0].ravel())[np.argsort(np.argsort(top[top != 0]))]
    )
    assert (top[top != 0] == x[top != 0]).all() and (top != 0).sum() == pooled.size - (pooled == 0).sum()


@pytest.mark.parametrize("unpool", ["AVE", "TILE"])
def test_the_gradient_is_the_mean_of_a_window(unpool):
    runner = Runner(
        layer(f"unpool: {unpool} kernel_size: 3 stride: 2 unpool_size: 6"), [np.ones((2, 1, 3, 3))]
    )
    runner.forward()
    diff = np.random.RandomState(3).standard_normal((2, 1, 6, 6))
    (got,) = runner.backward([diff])
    for n, c, h, w in np.ndindex(got.shape):
        window = diff[n, c, 2 * h : 2 * h + 3, 2 * w : 2 * w + 3]
        assert got[n, c, h, w] == pytest.approx(window.mean(), rel=1e-5, abs=1e-6)


def test_a_window_behind_the_top():
    runner = Runner(layer("unpool: TILE kernel_size: 2 stride: 2 unpool_size: 3"), [np.ones((1, 1, 3, 3))])
    np.testing.assert_array_equal(runner.forward()[0], np.ones((1, 1, 3, 3)))
    (got,) = runner.backward([np.ones((1, 1, 3, 3))])
    np.testing.assert_array_equal(got[0, 0], [[1, 1, 0], [1, 1, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    "params, bottoms, message",
    [
        ("stride: 2", 1, "kernel_size is 0 x 0; it must be at least 1"),
        ("kernel_size: 2 kernel_h: 3", 1, "give either kernel_size alone, or both kernel_h and kernel_w"),
        ("kernel_size: 2 unpool_h: 3", 1, "give either unpool_size alone, or both unpool_h and unpool_w"),
        ("kernel_size: 1 stride: 9", 1, "gives no top; give unpool_size"),
        ("kernel_size: 2 pad: 1", 1, "a padded pooling cannot be undone"),
        ("kernel_size: 2 unpool: AVE", 2, "only unpool: MAX takes a mask"),
        ("kernel_size: 2 stride: 2 unpool_size: 4", 2, "the mask has 16 at [0, 0, 1, 1]"),
    ],
)
def test_errors(params, bottoms, message):
    mask = np.zeros((1, 1, 2, 2))
    mask.flat[-1] = 16
    with pytest.raises(LayerError) as error:
        Runner(layer(params), [np.zeros((1, 1, 2, 2)), mask][:bottoms]).forward()
    assert message in str(error.value)


def test_a_mask_of_another_shape():
    with pytest.raises(LayerError, match="and a mask of the same shape"):
        Runner(layer("kernel_size: 2"), [np.zeros((1, 1, 2, 2)), np.zeros((1, 1, 2, 3))])
