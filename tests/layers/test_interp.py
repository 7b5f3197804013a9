"""Interp against plain loops, and its sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

F = np.float32


def layer(params: str) -> str:
    return f'type: "Interp" interp_param {{ {params} }}'


def naive(x, height, width, seed):
    """The top, and the gradient: pixels weigh by how near their place comes to that of the output."""
    top, diff = np.zeros(seed.shape), np.zeros(x.shape)
    step_h = (x.shape[2] - 1) / (height - 1) if height > 1 else 0
    step_w = (x.shape[3] - 1) / (width - 1) if width > 1 else 0
    for n, c, i, j in np.ndindex(seed.shape):
        for h in range(x.shape[2]):
            for w in range(x.shape[3]):
                weight = max(0, 1 - abs(i * step_h - h)) * max(0, 1 - abs(j * step_w - w))
                top[n, c, i, j] += weight * x[n, c, h, w]
                diff[n, c, h, w] += weight * seed[n, c, i, j]
    return top, diff


@pytest.mark.parametrize(
    "params, size",
    [
        ("zoom_factor: 2", (13, 9)),
        ("shrink_factor: 3", (3, 2)),
        ("shrink_factor: 2 zoom_factor: 3", (10, 7)),
        ("height: 11 width: 4", (11, 4)),
        ("height: 1 width: 12", (1, 12)),
        ("height: 7 width: 8", (7, 8)),
        ("height: 7 width: 5", (7, 5)),
        ("height: 3 width: 2 zoom_factor: 2", (13, 9)),  # one factor comes first
        ("height: 3 width: 2 zoom_factor: 2 shrink_factor: 5", (3, 2)),  # the size does before both
        ("zoom_factor: 2 pad_beg: -1 pad_end: -2", (7, 3)),
        ("height: 4 width: 2 pad_end: -3", (4, 2)),
    ],
)
def test_against_plain_loops(params, size):
    rng = np.random.RandomState(3)
    x = rng.standard_normal((2, 3, 7, 5)).astype(F)
    runner = Runner(layer(params), [x])
    (top,) = runner.forward()
    assert top.shape == (2, 3, *size)
    seed = rng.standard_normal(top.shape).astype(F)
    begin = 1 if "pad_beg" in params else 0
    end = {"-2": 2, "-3": 3}.get(params.rpartition("pad_end: ")[2], 0)
    kept = np.s_[:, :, begin : 7 - end, begin : 5 - end]
    want, want_diff = naive(x[kept], *size, seed)
    np.testing.assert_allclose(top, want, rtol=1e-4, atol=1e-5)
    (diff,) = runner.backward([seed])
    np.testing.assert_allclose(diff[kept], want_diff, rtol=1e-4, atol=1e-5)
    diff[kept] = 0
    assert not diff.any()


def test_corners_stay_corners_and_a_ramp_a_ramp():
    x = np.zeros((2, 1, 4, 5), F)
    x[1, 0] = np.add.outer(10 * np.arange(4), np.arange(5))
    (top,) = Runner(layer("height: 7 width: 9"), [x]).forward()
    np.testing.assert_allclose(top[1, 0], np.add.outer(5 * np.arange(7), np.arange(9) / 2), rtol=1e-6)
    assert not top[0].any()


def test_the_same_size_copies_though_a_neighbour_is_no_number():
    x = np.arange(20, dtype=F).reshape(1, 1, 4, 5)
    x[0, 0, 1, 2] = math.nan
    (top,) = Runner(layer("height: 4 width: 5"), [x]).forward()
    np.testing.assert_array_equal(top, x)


@pytest.mark.parametrize(
    "params, shape, message",
    [
        ("", (2, 3, 7, 5), "there is no size; give zoom_factor, shrink_factor, or both height and width"),
        ("height: 3", (2, 3, 7, 5), "there is no size"),
        ("zoom_factor: 0", (2, 3, 7, 5), "zoom_factor is 0; it must be at least 1"),
        ("height: 3 width: -2", (2, 3, 7, 5), "width is -2; it must be at least 1"),
        ("zoom_factor: 2 pad_end: 1", (2, 3, 7, 5), "pad_beg is 0 and pad_end 1; they can only cut off"),
        ("zoom_factor: 2 pad_beg: -5", (2, 3, 7, 5), "leave nothing of a bottom of (2, 3, 7, 5)"),
        ("zoom_factor: 2", (2, 7, 5), "a bottom has the shape (2, 7, 5), expected 4 axes"),
    ],
)
def test_errors(params, shape, message):
    with pytest.raises(LayerError) as error:
        Runner(layer(params), [np.zeros(shape)])
    assert message in str(error.value)


@pytest.mark.parametrize(
    "params, bottoms", [("height: 3 width: 3", 2), ("use_blob_size: true", 1), ("zoom_factor: 2", 2)]
)
def test_a_second_bottom_and_use_blob_size_belong_together(params, bottoms):
    with pytest.raises(LayerError, match="belong together"):
        Runner(layer(params), [np.zeros((1, 1, 4, 4))] * bottoms)


def test_a_second_bottom_of_other_axes():
    with pytest.raises(LayerError, match=r"a bottom has the shape \(1, 4\)"):
        Runner('type: "BilinearInterpolation"', [np.zeros((1, 1, 4, 4)), np.zeros((1, 4))])
