"""ROIAlign against plain loops, written after section 3 of Mask R-CNN."""

from __future__ import annotations

import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

F = np.float32


def layer(h: int, w: int, scale: float) -> str:
    return f'type: "ROIAlign" roi_align_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: {scale} }}'


def corners(y, x, height, width):
    """The four pixels around a place, and their weights; nothing for a place more than a pixel outside."""
    if not (-1 <= y <= height and -1 <= x <= width):
        return
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    for h in (math.floor(y), math.floor(y) + 1):
        for w in (math.floor(x), math.floor(x) + 1):
            weight = (1 - abs(y - h)) * (1 - abs(x - w))
            if weight > 0:
                yield h, w, weight


def naive(maps, rois, bins_h, bins_w, scale, seed):
    """The top, and the gradient at the maps for the top gradient `seed`."""
    top, diff = np.zeros(seed.shape), np.zeros(maps.shape)
    for r, roi in enumerate(rois):
        n, (x1, y1, x2, y2) = int(roi[0]), (float(v) * scale for v in roi[1:])
        bin_h, bin_w = max(y2 - y1, 1) / bins_h, max(x2 - x1, 1) / bins_w
        for c in range(maps.shape[1]):
            for i in range(bins_h):
                for j in range(bins_w):
                    for part_h in (0.25, 0.75):
                        for part_w in (0.25, 0.75):
                            y, x = y1 + (i + part_h) * bin_h, x1 + (j + part_w) * bin_w
                            for h, w, weight in corners(y, x, *maps.shape[2:]):
                                top[r, c, i, j] += weight * maps[n, c, h, w] / 4
                                diff[n, c, h, w] += weight * seed[r, c, i, j] / 4
    return top, diff


def on_grid(maps, rois, bins_h, bins_w, scale):
    """Cascade R-CNN's: a sample at each of (bins_h + 1) x (bins_w + 1) points, the RoI's corners among them."""
    height, width = maps.shape[2:]
    top = np.zeros((len(rois), maps.shape[1], bins_h + 1, bins_w + 1))
    for r, c, i, j in np.ndindex(*top.shape):
        n, (x1, y1, x2, y2) = int(rois[r, 0]), (float(v) * scale - 0.5 for v in rois[r, 1:])
        y, x = y1 + (y2 - y1) * i / bins_h, x1 + (x2 - x1) * j / bins_w
        if x2 > x1 and y2 > y1 and -0.5 <= y <= height - 0.5 and -0.5 <= x <= width - 0.5:
            top[r, c, i, j] = sum(weight * maps[n, c, h, w] for h, w, weight in corners(y, x, height, width))
    return top


def test_a_grid_by_hand():
    """On a ramp a point gives its place, half a pixel before the coordinates; beyond half a pixel outside it is 0."""
    ramp = np.add.outer(10 * np.arange(8), np.arange(9)).astype(F)
    maps = np.stack([np.zeros_like(ramp), ramp])[:, None]
    rois = np.array([[1, 3, 5, 11, 9], [1, 16, 4, 24, 6], [1, 7, 8, 7, 9]], F)
    text = 'type: "ROIAlign" roi_pooling_param { pooled_h: 2 pooled_w: 1 spatial_scale: 0.5 }'
    (top,) = Runner(text, [maps, rois]).forward()
    assert top.shape == (3, 1, 3, 2)
    np.testing.assert_allclose(top[0, 0], [[21, 25], [31, 35], [41, 45]], rtol=1e-6)
    np.testing.assert_allclose(top[1, 0], [[22.5, 0], [27.5, 0], [32.5, 0]], rtol=1e-6)
    assert not top[2].any()  # as wide as 0
    text = text.replace("spatial_scale: 0.5", "spatial_scale: 1 pad_ratio: 0.25")
    (top,) = Runner(text, [maps, np.array([[1, 2, 2, 5, 5]], F)]).forward()
    np.testing.assert_allclose(top[0, 0], [[5.5, 10.5], [30.5, 35.5], [55.5, 60.5]], rtol=1e-6)


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
    rois[5, 1:] = [20, 30, 10, 12]  # ends before it starts: a pixel of the map
    runner = Runner(layer(h, w, scale), [maps, rois])
    (top,) = runner.forward()
    seed = rng.standard_normal(top.shape).astype(F)
    want, want_diff = naive(maps, rois, h, w, scale, seed)
    np.testing.assert_allclose(top, want, rtol=1e-4, atol=2e-5)
    diff, rois_diff = runner.backward([seed])
    np.testing.assert_allclose(diff, want_diff, rtol=1e-4, atol=2e-5)
    assert rois_diff is None
    np.testing.assert_array_equal(runner.backward([seed])[0], diff)


def test_places_are_not_rounded():
    """On a ramp a bin gives its centre's place, to fractions of a pixel."""
    ramp = np.add.outer(10 * np.arange(8), np.arange(9)).astype(F)
    maps = np.stack([np.zeros_like(ramp), ramp])[:, None]
    (top,) = Runner(layer(1, 2, 0.5), [maps, np.array([[1, 3, 5, 11, 8.5]], F)]).forward()
    # x from 1.5 to 5.5, so centres 2.5 and 4.5; y from 2.5 to 4.25, centre 3.375
    np.testing.assert_allclose(top.ravel(), [33.75 + 2.5, 33.75 + 4.5], rtol=1e-6)


@pytest.mark.parametrize(
    "text, maps, roi, message",
    [
        (layer(0, 2, 1), (2, 3, 4, 5), [0] * 5, "pooled_h is 0 and pooled_w 2; both must be above 0"),
        (layer(3, 2, 1), (3, 4, 5), [0] * 5, "bottom[0] has the shape (3, 4, 5)"),
        (layer(3, 2, 1), (2, 3, 4, 5), [0] * 4, "bottom[1] has the shape (1, 4)"),
        (layer(3, 2, 1), (2, 3, 4, 5), [-1, 0, 0, 1, 1], "RoI 0 is of image -1"),
        (layer(3, 2, 1), (2, 3, 4, 5), [1, 0, np.inf, 1, 1], "RoI 0 has the corners [0.0, inf, 1.0, 1.0]"),
    ],
)
def test_errors(text, maps, roi, message):
    with pytest.raises(LayerError) as error:
        Runner(text, [np.zeros(maps), np.array([roi], F)]).forward()
    assert message in str(error.value)
