"""Convolutions by places against the plain ones, which tests/layers/convolution/test_convolution.py holds to loops."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.engines.fast import by_place
from caffe_compat.engines.fast.by_place import ByPlace
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution

# kernel, pad, group, images x channels x height x width, outputs
CASES = [
    ((5, 5), (2, 2), 1, (19, 20, 7, 8), 41),
    ((5, 3), (0, 1), 1, (9, 70, 11, 6), 33),
    ((3, 5), (2, 4), 2, (8, 34, 3, 2), 90),
    ((4, 4), (3, 0), 1, (17, 65, 5, 9), 17),  # a panel with one channel; one line of windows more than pixels
]


def make(kernel, pad, group, shape, outputs):
    geometry = ConvGeometry(kernel, (1, 1), pad, (1, 1))
    rng = np.random.RandomState(sum(shape))
    images = rng.standard_normal(shape).astype(np.float32)
    filters = rng.standard_normal((outputs, shape[1] // group, *kernel)).astype(np.float32)
    out_shape = (shape[0], outputs, *geometry.output_shape(shape[2:]))
    out_diffs = rng.standard_normal(out_shape).astype(np.float32)
    assert ByPlace.fits(geometry, group, filters.shape, filters.dtype)
    fast = ByPlace(geometry, group)
    assert fast.takes_fewer_products(shape, out_shape)
    return fast, Im2colConvolution(geometry, group), images, filters, out_diffs


def assert_near(got, want):
    assert np.abs(got - want).max() <= 3e-6 * np.abs(want).max()


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_the_three_products(case):
    fast, plain, images, filters, out_diffs = make(*case)
    bias = np.random.RandomState(5).standard_normal(len(filters)).astype(np.float32)
    for with_bias in (bias, None):
        got, want = np.full_like(out_diffs, np.nan), np.empty_like(out_diffs)
        fast.forward(images, filters, with_bias, got)
        plain.forward(images, filters, with_bias, want)
        assert_near(got, want)
    got, want = np.full_like(filters, 7), np.full_like(filters, 7)  # it adds
    fast.add_filters_gradient(images, out_diffs, got)
    plain.add_filters_gradient(images, out_diffs, want)
    assert_near(got - 7, want - 7)
    got, want = np.full_like(images, np.nan), np.empty_like(images)
    fast.image_gradient(out_diffs, filters, got)
    plain.image_gradient(out_diffs, filters, want)
    assert_near(got, want)


def test_few_images_and_large_ones_take_the_plain_way(monkeypatch):
    fast, plain, images, filters, out_diffs = make(*CASES[0])
    assert not fast.takes_fewer_products((by_place.TOGETHER - 1, *images.shape[1:]), out_diffs.shape)
    monkeypatch.setattr(by_place, "BLOCK", 1)
    assert not fast.takes_fewer_products(images.shape, out_diffs.shape)
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
