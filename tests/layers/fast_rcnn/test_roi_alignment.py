"""ROIAlignment against plain loops, written after AffordanceNet's layer."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

F = np.float32


def layer(h: int, w: int, scale: float) -> str:
    return (
        f'type: "ROIAlignment" roi_alignment_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: {scale} }}'
    )


def naive(maps, rois, scale, seed):
    """The top, and the gradient at the maps for the top gradient `seed`."""
    top, diff = np.zeros(seed.shape), np.zeros(maps.shape)
    for r, c, i, j in np.ndindex(*seed.shape):
        n, places = int(rois[r, 0]), []
        for low, high, index, count, limit in (
            (rois[r, 2], rois[r, 4], i, seed.shape[2], maps.shape[2]),
            (rois[r, 1], rois[r, 3], j, seed.shape[3], maps.shape[3]),
        ):
            first, last = float(low) * scale, float(high) * scale
            size = max(last - first + 1, 1) / count
            sides = [min(max(first + k * size, 0), limit - 1) for k in (index, index + 1)]
            middle = sum(sides) / 2
            places.append(
                [
                    (k, abs(1 - abs(middle - k)), first - 1 <= k <= last + 1)
                    for k in range(limit)
                    if abs(middle - k) < 1
                ]
            )
        for h, v, learns_h in places[0]:
            for w, u, learns_w in places[1]:
                top[r, c, i, j] += v * u * maps[n, c, h, w]
                diff[n, c, h, w] += v * u * seed[r, c, i, j] * (learns_h and learns_w)
    return top, diff


@pytest.mark.parametrize(
    "shape, h, w, scale, margin",
    [((3, 5, 11, 14), 3, 2, 1 / 16, 0), ((2, 3, 9, 17), 7, 6, 1 / 16, 60), ((2, 4, 8, 7), 2, 5, 1.0, 3)],
)
def test_against_plain_loops(shape, h, w, scale, margin):
    rng = np.random.RandomState(6)
    maps = rng.standard_normal(shape).astype(F)
    x = np.sort(rng.uniform(-margin, shape[3] / scale + margin, (12, 2)), axis=1)
    y = np.sort(rng.uniform(-margin, shape[2] / scale + margin, (12, 2)), axis=1)
    image = np.arange(12)[::-1] % shape[0]
    rois = np.stack([image, x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1).astype(F)
    rois[5, 1:] = [20, 30, 10, 12]  # ends before it starts
    runner = Runner(layer(h, w, scale), [maps, rois])
    (top,) = runner.forward()
    seed = rng.standard_normal(top.shape).astype(F)
    want, want_diff = naive(maps, rois, scale, seed)
    np.testing.assert_allclose(top, want, rtol=1e-4, atol=2e-5)
    diff, rois_diff = runner.backward([seed])
    np.testing.assert_allclose(diff, want_diff, rtol=1e-4, atol=2e-5)
    assert rois_diff is None


def test_by_hand():
    """On a ramp a bin gives its middle's place; a side beyond the map counts as at its last pixel."""
    ramp = np.add.outer(10 * np.arange(8), np.arange(9)).astype(F)
    maps = np.stack([np.zeros_like(ramp), ramp])[:, None]
    rois = np.array([[1, 3, 5, 9, 8], [1, 12, 4, 20, 6]], F)
    (top,) = Runner(layer(1, 2, 0.5), [maps, rois]).forward()
    # x from 1.5 to 5.5 in two bins, y from 2.5 to 5
    np.testing.assert_allclose(top[0, 0, 0], [37.5 + 2.5, 37.5 + 4.5], rtol=1e-6)
    # x from 6 to 11: to 8 and 8; y from 2 to 4
    np.testing.assert_allclose(top[1, 0, 0], [30 + 7, 30 + 8], rtol=1e-6)


def test_the_gradient_leaves_out_pixels_far_from_the_region():
    """A region of less than a pixel before the border of the map: its sample is between two, of which one learns."""
    maps, roi = np.zeros((1, 1, 6, 9)), np.array([[0, -4.5, 1, -4, 1]], F)
    runner = Runner(layer(1, 1, 1), [maps, roi])
    runner.forward()
    diff, _ = runner.backward([np.full((1, 1, 1, 1), 8)])
    assert not diff.any()  # the sample is at x 0, which is more than 1 behind -4
    runner.feed([maps, np.array([[0, 1.25, 2, 1.25, 2]], F)])
    runner.forward()
    diff, _ = runner.backward([np.full((1, 1, 1, 1), 8)])
    want = np.zeros((6, 9))
    want[2:4, 1:3] = np.outer([4, 4], [0.25, 0.75])  # the sample is at 1.75, 2.5
    np.testing.assert_allclose(diff[0, 0], want)


@pytest.mark.parametrize(
    "text, maps, roi, message",
    [
        (layer(0, 2, 1), (2, 3, 4, 5), [0] * 5, "pooled_h is 0 and pooled_w 2; both must be above 0"),
        (layer(3, 2, 1), (3, 4, 5), [0] * 5, "bottom[0] has the shape (3, 4, 5)"),
        (layer(3, 2, 1), (2, 3, 4, 5), [2, 0, 0, 1, 1], "RoI 0 is of image 2"),
    ],
)
def test_errors(text, maps, roi, message):
    with pytest.raises(LayerError) as error:
        Runner(text, [np.zeros(maps), np.array([roi], F)]).forward()
    assert message in str(error.value)
