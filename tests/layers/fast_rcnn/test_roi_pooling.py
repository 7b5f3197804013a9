"""ROIPooling against plain loops, written after the Fast R-CNN paper and the rounding rules of its layer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

F = np.float32


def layer(h: int, w: int, scale: float) -> str:
    return f'type: "ROIPooling" roi_pooling_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: {scale} }}'


def round_away(x: float) -> int:
    return int(math.copysign(math.floor(abs(x) + 0.5), x))


def cuts(low, high, scale, bins, limit) -> list[tuple[int, int]]:
    first, last = round_away(float(F(low) * F(scale))), round_away(float(F(high) * F(scale)))
    size = F(max(last - first + 1, 1)) / F(bins)
    pairs = [(math.floor(F(i) * size) + first, math.ceil(F(i + 1) * size) + first) for i in range(bins)]
    return [(min(max(a, 0), limit), min(max(b, 0), limit)) for a, b in pairs]


def naive(x, rois, h, w, scale, seed):
    """The top, and the gradient at x for the top gradient `seed`."""
    top, diff = np.zeros(seed.shape), np.zeros(x.shape)
    for r, (n, x1, y1, x2, y2) in enumerate(rois):
        for c in range(x.shape[1]):
            for i, (h0, h1) in enumerate(cuts(y1, y2, scale, h, x.shape[2])):
                for j, (w0, w1) in enumerate(cuts(x1, x2, scale, w, x.shape[3])):
                    window = x[int(n), c, h0:h1, w0:w1]
                    if window.size:
                        a, b = np.unravel_index(np.argmax(window), window.shape)
                        top[r, c, i, j] = window[a, b]
                        diff[int(n), c, h0 + a, w0 + b] += seed[r, c, i, j]
    return top, diff


def random_rois(rng, count, images, width, height, margin=0.0):
    x = np.sort(rng.uniform(-margin, width + margin, (count, 2)), axis=1)
    y = np.sort(rng.uniform(-margin, height + margin, (count, 2)), axis=1)
    n = np.arange(count)[::-1] % images
    return np.stack([n, x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1).astype(F)


@pytest.mark.parametrize(
    "shape, h, w, scale, margin",
    [
        ((3, 5, 11, 14), 6, 6, 1 / 16, 0),
        ((2, 3, 9, 17), 7, 7, 1 / 16, 60),  # some bins, and some RoIs, lie outside the map
        ((2, 37, 10, 13), 3, 5, 1 / 8, 20),
        ((2, 1, 8, 7), 2, 4, 1.0, 0),
    ],
)
def test_against_plain_loops(shape, h, w, scale, margin):
    rng = np.random.RandomState(5)
    x = rng.standard_normal(shape).astype(F)
    rois = random_rois(rng, 19, shape[0], shape[3] / scale, shape[2] / scale, margin)
    runner = Runner(layer(h, w, scale), [x, rois])
    (top,) = runner.forward()
    seed = rng.standard_normal(top.shape).astype(F)
    diff, rois_diff = runner.backward([seed])
    want_top, want_diff = naive(x, rois, h, w, scale, seed)
    np.testing.assert_array_equal(top, want_top)
    np.testing.assert_allclose(diff, want_diff, atol=2e-6)
    assert rois_diff is None


def test_the_first_of_equal_maxima_takes_the_gradient():
    x = np.zeros((2, 3, 4, 5), F)
    runner = Runner(layer(1, 1, 1.0), [x, np.array([[1, 1, 2, 3, 3]], F)])
    runner.forward()
    diff, _ = runner.backward([np.arange(1, 4, dtype=F).reshape(1, 3, 1, 1)])
    want = np.zeros_like(x)
    want[1, :, 2, 1] = [1, 2, 3]
    np.testing.assert_array_equal(diff, want)


def test_halves_round_away_from_zero():
    x = np.arange(2 * 1 * 6 * 7, dtype=F).reshape(2, 1, 6, 7)
    # 0.5 and 2.5 round to 1 and 3 (to even it would be 0 and 2), -0.5 to -1
    runner = Runner(layer(1, 1, 0.5), [x, np.array([[0, 1, 1, 5, 5], [1, -1, -1, -1, -1]], F)])
    (top,) = runner.forward()
    assert top.ravel().tolist() == [x[0, 0, 3, 3], 0.0]


def test_a_malformed_roi_is_one_pixel_and_takes_no_gradient():
    x = np.random.RandomState(0).standard_normal((1, 2, 6, 7)).astype(F)
    runner = Runner(layer(1, 2, 1.0), [x, np.array([[0, 4, 3, 2, 1]], F)])
    (top,) = runner.forward()
    np.testing.assert_array_equal(top[0, :, 0], np.repeat(x[0, :, 3, 4:5], 2, axis=1))
    diff, _ = runner.backward([np.ones_like(top)])
    assert not diff.any()


def test_sums_are_the_same_every_time_and_follow_the_order_of_the_rois():
    rng = np.random.RandomState(3)
    x = rng.standard_normal((1, 33, 6, 7)).astype(F)
    rois = np.repeat(random_rois(rng, 5, 1, 7, 6), 40, axis=0)
    runner = Runner(layer(2, 3, 1.0), [x, rois])
    (top,) = runner.forward()
    seed = rng.standard_normal(top.shape).astype(F)
    first, _ = runner.backward([seed])
    again, _ = runner.backward([seed])
    np.testing.assert_array_equal(first, again)
    want = np.zeros_like(x)
    for r, (_, x1, y1, x2, y2) in enumerate(rois):
        for i, (h0, h1) in enumerate(cuts(y1, y2, 1.0, 2, 6)):
            for j, (w0, w1) in enumerate(cuts(x1, x2, 1.0, 3, 7)):
                for c in range(33):
                    place = np.argmax(x[0, c, h0:h1, w0:w1])
                    want[0, c, h0 + place // (w1 - w0), w0 + place % (w1 - w0)] += seed[r, c, i, j]
    np.testing.assert_array_equal(first, want)


def test_maps_and_rois_may_change_their_number():
    rng = np.random.RandomState(4)
    runner = Runner(layer(3, 2, 0.5), [rng.standard_normal((1, 3, 5, 6)), random_rois(rng, 2, 1, 12, 10)])
    for images, count, height, width in ((2, 9, 8, 11), (1, 4, 4, 3)):
        x = rng.standard_normal((images, 7, height, width)).astype(F)
        rois = random_rois(rng, count, images, 2 * width, 2 * height)
        runner.feed([x, rois])
        (top,) = runner.forward()
        np.testing.assert_array_equal(top, naive(x, rois, 3, 2, 0.5, np.zeros(top.shape))[0])


@pytest.mark.parametrize(
    "roi, message",
    [
        ([2, 0, 0, 3, 3], "RoI 1 is of image 2; bottom[0] holds the images 0 to 1"),
        ([-1, 0, 0, 3, 3], "RoI 1 is of image -1; bottom[0] holds the images 0 to 1"),
        ([np.nan, 0, 0, 3, 3], "RoI 1 is of image nan"),
        ([0, 0, np.inf, 3, 3], "RoI 1 has the corners [0.0, inf, 3.0, 3.0]"),
        ([0, 0, 0, np.nan, 3], "RoI 1 has the corners [0.0, 0.0, nan, 3.0]"),
        ([0, -1e20, 0, 3, 3], "below 2**30"),
    ],
)
def test_wrong_rois(roi, message):
    runner = Runner(layer(2, 2, 0.5), [np.zeros((2, 3, 4, 5)), np.array([[0, 0, 0, 1, 1], roi], F)])
    with pytest.raises(LayerError) as error:
        runner.forward()
    assert message in str(error.value) and "layer 'layer' (ROIPooling)" in str(error.value)


def test_wrong_shapes_and_params():
    x, rois = np.zeros((2, 3, 4, 5)), np.zeros((6, 5))
    for text, bottoms, message in (
        (layer(0, 2, 1), [x, rois], "pooled_h is 0 and pooled_w 2"),
        (layer(3, 2, 1), [x[0], rois], "bottom[0] has the shape (3, 4, 5)"),
        (layer(3, 2, 1), [x, rois[:, :4]], "bottom[1] has the shape (6, 4)"),
    ):
        with pytest.raises(LayerError, match=r".") as error:
            Runner(text, bottoms)
        assert message in str(error.value)


def test_rois_where_there_is_no_image():
    with pytest.raises(
        LayerError, match=r"RoI 0 is of image 0; bottom\[0\] holds no image, in the shape \(0, 3, 4, 5\)"
    ):
        Runner(layer(2, 2, 0.5), [np.zeros((0, 3, 4, 5)), np.array([[0, 0, 0, 1, 1]], F)]).forward()
