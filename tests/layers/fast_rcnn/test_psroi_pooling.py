"""PSROIPooling against plain loops, written after R-FCN's equation 1 and the rounding rules of its layer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

F = np.float32


def layer(dim: int, group: int, scale: float) -> str:
    params = f"spatial_scale: {scale} output_dim: {dim} group_size: {group}"
    return f'type: "PSROIPooling" psroi_pooling_param {{ {params} }}'


def round_away(x: float) -> float:
    return math.copysign(math.floor(abs(x) + 0.5), x)


def pixels(low, high, scale, bins, limit) -> list[list[int]]:
    """The rows or columns of each bin: those that it touches."""
    start, end = F(round_away(low)) * F(scale), F(round_away(high) + 1) * F(scale)
    size = F(max(end - start, F(0.1))) / F(bins)
    touched = [
        range(math.floor(F(i) * size + start), math.ceil(F(i + 1) * size + start)) for i in range(bins)
    ]
    return [[p for p in of_bin if 0 <= p < limit] for of_bin in touched]


def naive(maps, rois, group, scale, seed):
    """The top, and the gradient at the maps for the top gradient `seed`."""
    top, diff = np.zeros(seed.shape), np.zeros(maps.shape)
    for r, (n, x1, y1, x2, y2) in enumerate(rois):
        for i, rows in enumerate(pixels(y1, y2, scale, group, maps.shape[2])):
            for j, columns in enumerate(pixels(x1, x2, scale, group, maps.shape[3])):
                for d in range(seed.shape[1]):
                    channel = d * group * group + i * group + j
                    for h in rows:
                        for w in columns:
                            count = len(rows) * len(columns)
                            top[r, d, i, j] += float(maps[int(n), channel, h, w]) / count
                            diff[int(n), channel, h, w] += seed[r, d, i, j] / count
    return top, diff


@pytest.mark.parametrize(
    "shape, dim, group, scale, margin",
    [((3, 18, 11, 14), 2, 3, 1 / 16, 0), ((2, 12, 9, 17), 3, 2, 1 / 16, 60), ((2, 5, 8, 7), 5, 1, 1.0, 3)],
)
def test_against_plain_loops(shape, dim, group, scale, margin):
    rng = np.random.RandomState(2)
    maps = rng.standard_normal(shape).astype(F)
    width, height = shape[3] / scale, shape[2] / scale
    x = np.sort(rng.uniform(-margin, width + margin, (13, 2)), axis=1)
    y = np.sort(rng.uniform(-margin, height + margin, (13, 2)), axis=1)
    image = np.arange(13)[::-1] % shape[0]
    rois = np.stack([image, x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1).astype(F)
    rois[3, 3:] = rois[3, 1:3]  # one pixel
    rois[4, 1:] = [20, 30, 10, 12]  # ends before it starts
    runner = Runner(layer(dim, group, scale), [maps, rois[:, :, None, None]])
    (top,) = runner.forward()
    seed = rng.standard_normal(top.shape).astype(F)
    want, want_diff = naive(maps, rois, group, scale, seed)
    np.testing.assert_allclose(top, want, rtol=1e-4, atol=1e-5)
    diff, rois_diff = runner.backward([seed])
    np.testing.assert_allclose(diff, want_diff, rtol=1e-4, atol=1e-5)
    assert rois_diff is None and np.count_nonzero(want) > 30
    again, _ = runner.backward([seed])
    np.testing.assert_array_equal(diff, again)


def test_every_bin_has_its_own_channel():
    maps = np.zeros((2, 8, 4, 4), F)
    maps[1] = np.arange(8)[:, None, None]
    (top,) = Runner(layer(2, 2, 1.0), [maps, np.array([[1, 0, 0, 3, 3]], F)]).forward()
    np.testing.assert_array_equal(top[0], np.arange(8).reshape(2, 2, 2))


def test_places_are_rounded_before_they_are_scaled():
    maps = np.arange(8, dtype=F).reshape(1, 1, 1, 8)
    # 7.5 rounds to 8, which is column 1; 15.4 to 15, whose end 16 is column 2
    (top,) = Runner(layer(1, 1, 0.125), [maps, np.array([[0, 7.5, 0, 15.4, 0]], F)]).forward()
    assert top.item() == 1.0
    # 7.49 rounds to 7: column 0 is touched too
    (top,) = Runner(layer(1, 1, 0.125), [maps, np.array([[0, 7.49, 0, 15.4, 0]], F)]).forward()
    assert top.item() == 0.5


@pytest.mark.parametrize(
    "text, maps, roi, message",
    [
        (
            layer(2, 2, 1),
            (2, 7, 4, 5),
            [0] * 5,
            "has 7 channels; output_dim 2 and group_size 2 need 2 x 2 x 2 = 8",
        ),
        (layer(0, 2, 1), (2, 8, 4, 5), [0] * 5, "output_dim is 0 and group_size 2; both must be above 0"),
        (layer(2, -1, 1), (2, 8, 4, 5), [0] * 5, "output_dim is 2 and group_size -1"),
        (layer(2, 2, 1), (8, 4, 5), [0] * 5, "bottom[0] has the shape (8, 4, 5)"),
        (layer(2, 2, 1), (2, 8, 4, 5), [0] * 4, "bottom[1] has the shape (1, 4)"),
        (
            layer(2, 2, 1),
            (2, 8, 4, 5),
            [2, 0, 0, 1, 1],
            "RoI 0 is of image 2; bottom[0] holds the images 0 to 1",
        ),
        (layer(2, 2, 1), (2, 8, 4, 5), [1, 0, np.nan, 1, 1], "RoI 0 has the corners [0.0, nan, 1.0, 1.0]"),
    ],
)
def test_errors(text, maps, roi, message):
    with pytest.raises(LayerError) as error:
        Runner(text, [np.zeros(maps), np.array([roi], F)]).forward()
    assert message in str(error.value)
