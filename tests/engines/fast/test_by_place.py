"""Convolutions by places against the plain ones, which tests/layers/convolution/test_convolution.py holds to loops."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.engines.fast import by_place, winograd_by_place
from caffe_compat.engines.fast.by_place import ByPlace
from caffe_compat.engines.fast.winograd_by_place import WinogradByPlace
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution
from engines.fast.products import check_the_three_products

# kind, kernel, pad, group, images x channels x height x width, outputs
CASES = [
    (ByPlace, (5, 5), (2, 2), 1, (19, 20, 7, 8), 41),
    (ByPlace, (5, 3), (0, 1), 1, (9, 70, 11, 6), 33),
    (ByPlace, (3, 5), (2, 4), 2, (8, 34, 3, 2), 90),
    (
        ByPlace,
        (4, 4),
        (3, 0),
        1,
        (17, 65, 5, 9),
        17,
    ),  # a panel of one channel; one line of windows more than pixels
    (WinogradByPlace, (5, 5), (2, 2), 1, (19, 20, 7, 9), 41),  # tiles hang over rows and columns
    (WinogradByPlace, (5, 5), (0, 1), 1, (9, 70, 10, 8), 33),  # too much padding for the gradient of images
    (WinogradByPlace, (5, 5), (3, 2), 2, (8, 34, 9, 12), 90),
]


def make(kind, kernel, pad, group, shape, outputs):
    geometry = ConvGeometry(kernel, (1, 1), pad, (1, 1))
    rng = np.random.RandomState(sum(shape))
    images = rng.standard_normal(shape).astype(np.float32)
    filters = rng.standard_normal((outputs, shape[1] // group, *kernel)).astype(np.float32)
    out_shape = (shape[0], outputs, *geometry.output_shape(shape[2:]))
    out_diffs = rng.standard_normal(out_shape).astype(np.float32)
    assert kind.fits(geometry, group, filters.shape, filters.dtype)
    fast = kind(geometry, group)
    assert fast.is_faster(shape, out_shape)
    return fast, Im2colConvolution(geometry, group), images, filters, out_diffs


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, (case[0].__name__, *case[1:]))))
def test_the_three_products(case):
    check_the_three_products(*make(*case), tolerance=2e-5)


def test_few_images_and_large_ones_take_the_plain_way(monkeypatch):
    fast, plain, images, filters, out_diffs = make(*CASES[0])
    assert not fast.is_faster((by_place.TOGETHER - 1, *images.shape[1:]), out_diffs.shape)
    monkeypatch.setattr(by_place, "BLOCK", 1)
    assert not fast.is_faster(images.shape, out_diffs.shape)
    got, want = np.empty_like(images), np.empty_like(images)
    fast.image_gradient(out_diffs, filters, got)
    plain.image_gradient(out_diffs, filters, want)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    "change", [{"stride": (2, 1)}, {"dilation": (1, 2)}, {"pad": (0, 5)}, {"kernel": (1, 1), "pad": (0, 0)}]
)
def test_what_does_not_fit(change):
    geometry = ConvGeometry(
        **{"kernel": (5, 5), "stride": (1, 1), "pad": (2, 2), "dilation": (1, 1), **change}
    )
    assert not ByPlace.fits(geometry, 1, (32, 32, *geometry.kernel), np.dtype(np.float32))


def test_winograd_where_it_is_faster(monkeypatch):
    """Products of tiles, and not those of places; but for the gradient of images where most taps are in the padding."""
    calls = []

    def noted(name):
        run = getattr(winograd_by_place.kernels, name)
        return lambda *args: calls.append(name) or run(*args)

    for name in ("filter_tiles", "sum_tiles"):
        monkeypatch.setattr(winograd_by_place.kernels, name, noted(name))
    for case, image_gradient in ((CASES[4], ["filter_tiles"]), (CASES[5], [])):
        fast, _, images, filters, out_diffs = make(*case)
        calls.clear()
        fast.forward(images, filters, None, out_diffs)
        fast.add_filters_gradient(images, out_diffs, filters)
        assert calls == ["filter_tiles", "sum_tiles"]
        fast.image_gradient(out_diffs, filters, images)
        assert calls[2:] == image_gradient
