"""Winograd's convolutions against the plain ones, which tests/layers/convolution/test_convolution.py holds to loops."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.engines.fast.phased_winograd import PhasedWinograd
from caffe_compat.engines.fast.winograd import LEAST_TILES, Winograd, tile_count
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution
from caffe_compat.layers.kernels import winograd as kernels
from engines.fast.products import check_the_three_products

# kind, kernel, stride, pad, images x channels x height x width, outputs
CASES = [
    (Winograd, 3, 1, 1, (1, 97, 33, 34), 103),
    (Winograd, 3, 1, 0, (2, 101, 26, 31), 96),
    (Winograd, 3, 1, 2, (3, 96, 17, 22), 131),
    (Winograd, 3, 1, 1, (2, 300, 21, 29), 270),
    (
        Winograd,
        3,
        1,
        1,
        (2, 65, 41, 50),
        67,
    ),  # more tiles than panels that are multiplied at a time, few filters
    (PhasedWinograd, 5, 2, 1, (1, 33, 66, 71), 98),
    (PhasedWinograd, 5, 2, 0, (2, 25, 53, 50), 97),
    (PhasedWinograd, 6, 2, 2, (1, 29, 68, 75), 99),
    (PhasedWinograd, 6, 2, 3, (3, 24, 40, 45), 101),
]


def make(kind, size, stride, pad, shape, outputs):
    geometry = ConvGeometry((size, size), (stride, stride), (pad, pad), (1, 1))
    rng = np.random.RandomState(size + pad)
    images = rng.standard_normal(shape).astype(np.float32)
    filters = rng.standard_normal((outputs, shape[1], size, size)).astype(np.float32)
    assert kind.fits(geometry, 1, filters.shape, filters.dtype)
    out_shape = (shape[0], outputs, *geometry.output_shape(shape[2:]))
    out_diffs = rng.standard_normal(out_shape).astype(np.float32)
    return kind(geometry, 1), Im2colConvolution(geometry, 1), images, filters, out_diffs


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0].__name__}-{c[1]}-pad{c[3]}-{c[4]}")
def test_the_three_products(case):
    check_the_three_products(*make(*case), tolerance=3e-5)


def test_the_cases_take_the_fast_way():
    for case in CASES:
        fast, _, images, _, out_diffs = make(*case)
        assert fast.is_faster(images.shape, out_diffs.shape)


def test_blocks_of_tiles(monkeypatch):
    """As many tiles as fit into the memory at a time, the gradients summed over them."""
    monkeypatch.setattr("caffe_compat.engines.fast.winograd.ELEMENTS", 1)
    assert tile_count(make(*CASES[4])[4].shape) > kernels.GROUP * kernels.COLUMNS
    test_the_three_products(CASES[4])


def test_small_ones_are_left_alone():
    fast, plain, images, filters, out_diffs = make(Winograd, 3, 1, 1, (1, 97, 12, 9), 103)
    assert LEAST_TILES > -(-12 // 4) * -(-9 // 4)
    got, want = np.empty_like(out_diffs), np.empty_like(out_diffs)
    fast.forward(images, filters, None, got)
    plain.forward(images, filters, None, want)
    np.testing.assert_array_equal(got, want)
