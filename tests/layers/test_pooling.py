"""Pooling against loops over windows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.kernels import pool_averages, pool_gradients, pool_maxima
from caffe_compat.rng import caffe_rng, set_random_seed
from layers.harness import Runner

SHAPE = (2, 3, 7, 9)
WINDOWS = [
    "kernel_size: 3 stride: 2",
    "kernel_size: 2",
    "kernel_size: 2 stride: 3",  # the last window begins where the row ends: its average is 0 / 0
    "kernel_size: 3 stride: 2 pad: 1",
    "kernel_size: 2 stride: 2 pad: 1",  # the last window would start behind the image
    "kernel_size: 5 stride: 1 pad: 4",
    "kernel_h: 2 kernel_w: 4 stride_h: 3 stride_w: 1 pad_h: 1 pad_w: 2",
    "kernel_size: 2 stride: 3 pad_h: 0 pad_w: 1",
    "kernel_size: 3 stride: 2 round_mode: FLOOR",
    "kernel_size: 4 stride: 3 pad: 1 round_mode: FLOOR",
    "global_pooling: true",
    "kernel_size: 8 stride: 2",  # larger than the image: rounding up leaves one window
    "kernel_size: 2 stride: 5",  # the last window lies behind the image
    "kernel_h: 3 kernel_w: 8 stride_h: 2 stride_w: 1",  # fewer windows than one has columns, which overlap
    "kernel_h: 2 kernel_w: 6 stride_h: 1 stride_w: 4 pad_h: 0 pad_w: 3",
]


def layer(pool, params):
    return f'type: "Pooling" pooling_param {{ pool: {pool} {params} }}'


def windows(param, height, width):
    """(H', W') and, per (y, x), the rows and columns inside, and the elements with padding."""

    def pair(field, prefix):
        if param.HasField(f"{prefix}_h"):
            return getattr(param, f"{prefix}_h"), getattr(param, f"{prefix}_w")
        return (getattr(param, field),) * 2

    padded = any(pair("pad", "pad"))
    kernel = (height, width) if param.global_pooling else pair("kernel_size", "kernel")
    ranges = []
    for size, k, s, p in zip(
        (height, width), kernel, pair("stride", "stride"), pair("pad", "pad"), strict=True
    ):
        rounded = (math.floor if param.round_mode or not param.ceil_mode else math.ceil)(
            (size + 2 * p - k) / s
        ) + 1
        if padded and (rounded - 1) * s >= size + p:
            rounded -= 1
        starts = [i * s - p for i in range(rounded)]
        inside = [range(max(a, 0), min(a + k, size)) for a in starts]
        ranges.append([(r, min(a + k, size + p) - a) for r, a in zip(inside, starts, strict=True)])
    rows, columns = ranges
    places = {
        (y, x): (list(r), list(c), n * m) for y, (r, n) in enumerate(rows) for x, (c, m) in enumerate(columns)
    }
    return (len(rows), len(columns)), places


def naive(param, x, seed):
    """(top, mask, bottom diff) for MAX, (top, None, bottom diff) for AVE."""
    images, channels, height, width = x.shape
    size, places = windows(param, height, width)
    top, mask, diff = (
        np.zeros((images, channels, *size)),
        np.full((images, channels, *size), -1.0),
        np.zeros(x.shape),
    )
    for n in range(images):
        for c in range(channels):
            for (y, z), (rows, columns, elements) in places.items():
                pixels = [(h, w) for h in rows for w in columns]
                if param.pool == 1:
                    top[n, c, y, z] = sum(x[n, c, h, w] for h, w in pixels) / elements if elements else np.nan
                    for h, w in pixels:
                        diff[n, c, h, w] += seed[n, c, y, z] / elements
                    continue
                top[n, c, y, z] = -np.finfo(np.float32).max
                for h, w in pixels:
                    if x[n, c, h, w] > top[n, c, y, z]:
                        top[n, c, y, z], mask[n, c, y, z] = x[n, c, h, w], h * width + w
                if mask[n, c, y, z] >= 0:
                    diff[n, c].flat[int(mask[n, c, y, z])] += seed[n, c, y, z]
    return top, (None if param.pool == 1 else mask), diff


def compare(text, x, tops=1):
    runner = Runner(text, [x], tops=tops)
    got = runner.forward()
    seed = np.random.RandomState(2).standard_normal(got[0].shape).astype(np.float32)
    (diff,) = runner.backward([seed] + [None] * (tops - 1))
    top, mask, want_diff = naive(runner.layer.layer_param.pooling_param, x, seed)
    assert got[0].shape == top.shape
    np.testing.assert_allclose(got[0], top, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(diff, want_diff, rtol=1e-5, atol=1e-6)
    if tops > 1:
        np.testing.assert_array_equal(got[1], mask)


@pytest.mark.parametrize("params", WINDOWS)
def test_max(params):
    x = np.random.RandomState(1).standard_normal(SHAPE).astype(np.float32)
    compare(layer("MAX", params), x)
    compare(layer("MAX", params), x, tops=2)


@pytest.mark.parametrize("params", WINDOWS)
def test_the_first_of_equal_maxima_takes_the_gradient(params):
    compare(layer("MAX", params), np.random.RandomState(1).randint(0, 3, SHAPE).astype(np.float32), tops=2)


@pytest.mark.parametrize("params", WINDOWS)
def test_what_is_not_greater_than_the_lowest_number_is_no_maximum(params):
    x = np.random.RandomState(1).standard_normal(SHAPE).astype(np.float32)
    x[np.random.RandomState(2).uniform(size=SHAPE) < 0.6] = np.nan
    x[np.random.RandomState(3).uniform(size=SHAPE) < 0.1] = -np.inf
    x[1, 2] = np.nan
    compare(layer("MAX", params), x, tops=2)


@pytest.mark.parametrize("params", WINDOWS)
def test_average(params):
    compare(layer("AVE", params), np.random.RandomState(1).standard_normal(SHAPE).astype(np.float32))


def test_output_sizes():
    for params, want in [
        ("kernel_size: 3 stride: 2", (148, 198)),
        ("kernel_size: 3 stride: 2 round_mode: FLOOR", (148, 198)),
        ("kernel_size: 2 stride: 2", (149, 199)),
        ("kernel_size: 2 stride: 2 round_mode: FLOOR", (148, 198)),
        ("kernel_size: 2 stride: 2 pad: 1", (149, 199)),
        ("global_pooling: true", (1, 1)),
    ]:
        runner = Runner(layer("MAX", params), [np.zeros((1, 2, 297, 397))])
        assert runner.top[0].shape == (1, 2, *want), params


def test_padding_along_one_axis_leaves_out_windows_behind_the_image_along_both():
    windows = "kernel_size: 2 stride: 3 pad_h: 0 pad_w: 1"
    assert Runner(layer("MAX", windows), [np.zeros((1, 2, 9, 8))]).top[0].shape == (1, 2, 3, 3)
    assert Runner(layer("MAX", "kernel_size: 2 stride: 3"), [np.zeros((1, 2, 9, 8))]).top[0].shape == (
        1,
        2,
        4,
        3,
    )


STOCHASTIC = [text for text in WINDOWS if "pad" not in text and text != "kernel_size: 2 stride: 5"]


def positive(seed=1):
    return np.maximum(np.random.RandomState(seed).standard_normal(SHAPE), 0).astype(np.float32)


@pytest.mark.parametrize("params", STOCHASTIC)
def test_stochastic_draws_by_the_running_sum(params):
    x = positive()
    runner = Runner(layer("STOCHASTIC", params), [x])
    set_random_seed(5)
    (top,) = runner.forward()
    draws = np.empty(top.shape, np.float32)
    set_random_seed(5)
    caffe_rng().uniform(0, 1, draws)
    seed = np.random.RandomState(2).standard_normal(top.shape).astype(np.float32)
    (diff,) = runner.backward([seed])
    size, places = windows(runner.layer.layer_param.pooling_param, *SHAPE[2:])
    assert top.shape[2:] == size
    want, want_diff = np.zeros(top.shape), np.zeros(SHAPE)
    for n, c in np.ndindex(SHAPE[:2]):
        for (y, z), (rows, columns, _) in places.items():
            pixels = [(h, w) for h in rows for w in columns]
            sums = np.cumsum([x[(n, c, *pixel)] for pixel in pixels], dtype=np.float32)
            reached = np.flatnonzero(sums >= draws[n, c, y, z] * sums[-1]) if pixels else []
            if len(reached):
                pixel = pixels[reached[0]]
                want[n, c, y, z] = x[(n, c, *pixel)]
                want_diff[(n, c, *pixel)] += seed[n, c, y, z]
    np.testing.assert_array_equal(top, want.astype(np.float32))
    np.testing.assert_allclose(diff, want_diff, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("params", STOCHASTIC)
def test_stochastic_is_the_weighted_mean_in_testing(params):
    x = positive()
    runner = Runner(layer("STOCHASTIC", params), [x], phase=TEST)
    (top,) = runner.forward()
    _, places = windows(runner.layer.layer_param.pooling_param, *SHAPE[2:])
    for n, c in np.ndindex(SHAPE[:2]):
        for (y, z), (rows, columns, _) in places.items():
            pixels = [float(x[n, c, h, w]) for h in rows for w in columns]
            mean = sum(p * p for p in pixels) / sum(pixels) if sum(pixels) else 0
            np.testing.assert_allclose(top[n, c, y, z], mean, rtol=1e-5)


def test_stochastic_draws_in_proportion():
    x = np.tile(np.array([1, 0, 3, 4], np.float32).reshape(1, 1, 2, 2), (1, 4000, 1, 1))
    set_random_seed(3)
    (top,) = Runner(layer("STOCHASTIC", "kernel_size: 2"), [x]).forward()
    shares = [(top == value).mean() for value in (1, 0, 3, 4)]
    np.testing.assert_allclose(shares, [1 / 8, 0, 3 / 8, 4 / 8], atol=0.03)


def test_a_window_in_which_nothing_can_be_drawn_gives_zero():
    for phase in (TRAIN, TEST):
        runner = Runner(layer("STOCHASTIC", "kernel_size: 2"), [np.full((1, 1, 2, 2), np.nan)], phase=phase)
        assert runner.forward()[0] == 0
        assert not runner.backward([np.ones((1, 1, 1, 1))])[0].any()


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
def test_a_window_of_a_million_columns_is_gone_through_once(pool):
    x = np.zeros((1, 1, 1, 1_000_000))
    x[..., 700_000:] = 2
    runner = Runner(layer(pool, "global_pooling: true"), [x])
    assert runner.forward()[0] == pytest.approx({"MAX": 2, "AVE": 0.6}[pool], rel=1e-4)
    (diff,) = runner.backward([np.full((1, 1, 1, 1), 3.0)])
    if pool == "MAX":
        assert np.flatnonzero(diff).tolist() == [700_000] and diff.sum() == 3
    else:
        np.testing.assert_allclose(diff, 3e-6, rtol=1e-6)


def test_global_pooling_follows_the_bottom():
    runner = Runner(layer("AVE", "global_pooling: true"), [np.zeros((2, 3, 5, 4))])
    x = np.random.RandomState(1).standard_normal((1, 2, 3, 7)).astype(np.float32)
    runner.feed([x])
    np.testing.assert_allclose(runner.forward()[0], x.mean(axis=(2, 3), keepdims=True), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "params, shape, tops, message",
    [
        (
            "pool: STOCHASTIC kernel_size: 2 pad: 1",
            SHAPE,
            1,
            r"STOCHASTIC works without padding, found pad \(1, 1\)",
        ),
        ("pool: STOCHASTIC kernel_size: 2", SHAPE, 2, "only pool: MAX has a second top"),
        ("pool: AVE kernel_size: 2", SHAPE, 2, "only pool: MAX has a second top"),
        ("", SHAPE, 1, "kernel_size is 0 x 0"),
        ("kernel_h: 3", SHAPE, 1, "give either kernel_size alone, or both kernel_h and kernel_w"),
        ("kernel_size: 3 kernel_h: 3 kernel_w: 3", SHAPE, 1, "give either kernel_size alone"),
        ("kernel_size: 3 stride: 2 stride_h: 1 stride_w: 1", SHAPE, 1, "give either stride alone"),
        ("kernel_size: 3 pad_w: 1", SHAPE, 1, "give either pad alone"),
        ("kernel_size: 3 stride: 0", SHAPE, 1, "stride is 0 x 0; it must be at least 1"),
        ("kernel_size: 3 pad: 3", SHAPE, 1, r"pad \(3, 3\) must be less than the kernel \(3, 3\)"),
        ("global_pooling: true kernel_size: 3", SHAPE, 1, "remove the kernel size"),
        ("global_pooling: true stride: 2", SHAPE, 1, "pad 0 and stride 1 only"),
        ("kernel_size: 9", SHAPE, 1, r"a kernel of \(9, 9\).*\(2, 3, 7, 9\)"),
        ("kernel_size: 2", (2, 3, 7), 1, r"\(2, 3, 7\), expected 4 axes"),
        ("kernel_h: 2 kernel_w: 2", (2, 3, 7, 6, 5), 1, "over more than two axes there are kernel_size"),
        ("kernel_size: 2 round_mode: FLOOR", (2, 3, 7, 6, 5), 1, "rounded up"),
        ("pool: STOCHASTIC kernel_size: 2", (2, 3, 7, 6, 5), 1, "use MAX or AVE"),
    ],
)
def test_wrong_params(params, shape, tops, message):
    with pytest.raises(LayerError, match=message):
        Runner(f'type: "Pooling" pooling_param {{ {params} }}', [np.zeros(shape)], tops=tops)


# planes, their shape, kernel, stride and pad of height and width
SMALL_WINDOWS = [
    ((40, 9, 13), (3, 3), (2, 2), (0, 0)),
    ((7, 33, 40), (3, 3), (2, 2), (1, 1)),
    ((5, 12, 8), (2, 2), (2, 2), (0, 0)),
    ((6, 17, 35), (3, 3), (1, 1), (1, 1)),
    ((3, 14, 11), (5, 2), (3, 1), (4, 0)),
    ((4, 11, 50), (2, 4), (1, 2), (0, 3)),
]


@pytest.mark.parametrize(("shape", "kernel", "stride", "pad"), SMALL_WINDOWS)
def test_pixels_that_ask_their_windows_get_what_windows_send(shape, kernel, stride, pad):
    """Small windows against the kernels of all others: to the last bit, as a pixel's windows are added in order."""
    rng = np.random.RandomState(sum(shape))
    window = np.array([kernel, stride, pad], np.int64).T.copy()
    out = [(size + p - k) // s + 1 for size, k, s, p in zip(shape[1:], kernel, stride, pad, strict=True)]
    x = rng.randint(-2, 3, shape).astype(np.float32)  # many equal ones
    x[1, ::4], x[2] = np.nan, -np.inf
    top_diff = rng.standard_normal((shape[0], *out)).astype(np.float32)
    got, want = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    pool_gradients.pool_gradients(x, window, True, top_diff, got)
    pool_maxima.max_backward(x, window, top_diff, want)
    np.testing.assert_array_equal(got, want)
    got[:] = np.nan
    pool_gradients.pool_gradients(got, window, False, top_diff, got)
    pool_averages.average_backward(top_diff, window, want)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_windows_of_pairs_send_what_all_others_send():
    window, shape = np.array([(2, 2, 0)] * 2), (7, 6, 38)
    rng = np.random.RandomState(4)
    x = rng.randint(-2, 3, shape).astype(np.float32)  # many equal ones
    x[rng.uniform(size=shape) < 0.2], x[1, ::4], x[2] = np.inf, np.nan, -np.inf
    diff = rng.standard_normal((7, 3, 19)).astype(np.float32)
    diff[3, 1, ::5], diff[4, 2, ::3] = np.inf, np.nan
    got, want = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    pool_maxima.max_backward_of_pairs(x, diff, got)
    pool_maxima.max_backward(x, window, diff, want)
    np.testing.assert_array_equal(got, want)


def test_windows_of_pairs_that_hang_over_are_not_taken_for_pairs():
    for shape in ((2, 3, 7, 10), (2, 3, 6, 9)):
        x = np.random.RandomState(5).standard_normal(shape).astype(np.float32)
        compare(layer("MAX", "kernel_size: 2 stride: 2"), x)
