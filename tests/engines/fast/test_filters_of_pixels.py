"""Filters of one pixel in tile registers against the plain convolution."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from caffe_compat.engines.fast import filters_of_pixels
from caffe_compat.engines.fast.filters_of_pixels import FiltersOfPixels
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution
from caffe_compat.layers.kernels.scratch import scratch
from caffe_compat.layers.kernels.tile_registers import AVAILABLE
from engines.fast.products import check_the_three_products

pytestmark = pytest.mark.skipif(
    not AVAILABLE, reason="this processor, or system, has no tile registers (AMX)"
)

# stride, images x channels x height x width, outputs
CASES = [
    (1, (3, 70, 7, 9), 130),  # several images in a panel, units with a rest
    (1, (2, 300, 11, 13), 64),
    (2, (5, 600, 7, 13), 96),  # more channels than are summed up at a time
    (1, (2, 64, 40, 41), 65),
    (1, (3, 1100, 7, 6), 530),  # each thread has outputs of its own
    (3, (9, 64, 8, 7), 700),
]


def make(stride, shape, outputs):
    geometry = ConvGeometry((1, 1), (stride, stride), (0, 0), (1, 1))
    rng = np.random.default_rng(outputs)
    images = rng.standard_normal(shape).astype(np.float32)
    filters = rng.standard_normal((outputs, shape[1], 1, 1)).astype(np.float32)
    out_shape = (shape[0], outputs, *geometry.output_shape(shape[2:]))
    out_diffs = rng.standard_normal(out_shape).astype(np.float32)
    assert FiltersOfPixels.fits(geometry, 1, filters.shape, filters.dtype)
    kinds = FiltersOfPixels(geometry, 1), Im2colConvolution(geometry, 1)
    assert kinds[0].is_faster(images.shape, out_diffs.shape)
    return *kinds, images, filters, out_diffs


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_three_products(case):
    check_the_three_products(*make(*case), tolerance=2e-6)


@pytest.mark.parametrize("case", [(1, (2, 70, 4, 8), 65), (1, (2, 70, 4, 8), 1500)], ids=str)
def test_more_threads_than_there_is_work_for(case, monkeypatch):
    """Each has scratch of its own, with NaN in it."""
    monkeypatch.setattr(numba, "get_num_threads", lambda: 7)
    products = make(*case)
    scratch((2**23,), np.dtype(np.float32))[:] = np.nan
    check_the_three_products(*products, tolerance=2e-6)


def test_filters_are_laid_out_some_at_a_time(monkeypatch):
    monkeypatch.setattr(filters_of_pixels, "FILTERS", 2 * 32 * 70)
    check_the_three_products(*make(*CASES[0]), tolerance=2e-6)


@pytest.mark.parametrize("case", CASES[:3], ids=str)
def test_infinite_numbers(case):
    fast, plain, images, filters, out_diffs = make(*case)
    images[1, 2, 0, 0], out_diffs[1, 1, 0, 0], filters[3, 4] = np.inf, -np.inf, np.inf
    results = []
    for one in (fast, plain):
        outs, image_diffs = np.full_like(out_diffs, np.nan), np.full_like(images, np.nan)
        filters_diff = np.ones_like(filters)
        one.forward(images, filters, None, outs)
        one.image_gradient(out_diffs, filters, image_diffs)
        one.add_filters_gradient(images, out_diffs, filters_diff)
        results.append((outs, image_diffs, filters_diff))
    for got, want in zip(*results, strict=True):
        assert np.isinf(want).sum() > 10
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        np.testing.assert_array_equal(got[np.isinf(want)], want[np.isinf(want)])
        finite = np.isfinite(want)
        np.testing.assert_allclose(got[finite], want[finite], atol=1e-5 * abs(want[finite]).max())


def test_what_does_not_fit():
    plain = dict(kernel=(1, 1), stride=(1, 1), pad=(0, 0), dilation=(1, 1))
    f32, f64 = np.dtype(np.float32), np.dtype(np.float64)
    assert FiltersOfPixels.fits(ConvGeometry(**plain), 1, (64, 64, 1, 1), f32)
    for change in (dict(kernel=(1, 3)), dict(pad=(1, 0))):
        assert not FiltersOfPixels.fits(ConvGeometry(**{**plain, **change}), 1, (64, 64, 1, 1), f32)
    for group, shape, dtype in ((2, (64, 64, 1, 1), f32), (1, (63, 64, 1, 1), f32), (1, (64, 64, 1, 1), f64)):
        assert not FiltersOfPixels.fits(ConvGeometry(**plain), group, shape, dtype)
    fast = FiltersOfPixels(ConvGeometry(**plain), 1)
    assert not fast.is_faster((1, 64, 7, 7), (1, 64, 7, 7))
