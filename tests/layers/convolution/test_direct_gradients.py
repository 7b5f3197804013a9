"""Gradients of convolutions without columns, against those in float64, which are products of matrices."""

import numba
import numpy as np
import pytest

from caffe_compat.layers.convolution import direct_gradients
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution
from caffe_compat.layers.kernels.scratch import scratch

CASES = {  # (images, channels of a group, height, width), outputs of a group, groups, kernel, stride, pad, dilation
    "few_channels": ((3, 5, 9, 11), 20, 1, (3, 2), (1, 1), (1, 0), (1, 1)),
    "windows_over_the_edge": ((2, 40, 9, 18), 50, 1, (5, 5), (1, 1), (2, 4), (1, 1)),
    "many_channels_and_strides": ((2, 70, 19, 17), 17, 1, (3, 3), (2, 3), (1, 2), (1, 1)),
    "dilation": ((2, 3, 19, 17), 12, 1, (3, 4), (1, 2), (1, 2), (2, 3)),
    "groups": ((3, 6, 7, 8), 9, 3, (2, 3), (1, 1), (1, 1), (1, 1)),
    "pixels_that_no_window_sees": ((1, 33, 7, 9), 33, 1, (2, 2), (4, 3), (0, 0), (1, 1)),
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_gradients(case, threads, monkeypatch):
    shape, outputs, group, *fields = CASES[case]
    geometry = ConvGeometry(*fields)
    rng = np.random.default_rng(5)
    images = rng.standard_normal((shape[0], group * shape[1], *shape[2:])).astype(np.float32)
    filters = rng.standard_normal((group * outputs, shape[1], *geometry.kernel)).astype(np.float32)
    out_shape = shape[0], group * outputs, *geometry.output_shape(shape[2:])
    out_diffs = rng.standard_normal(out_shape).astype(np.float32)
    assert direct_gradients.fits(geometry, group, filters)
    monkeypatch.setattr(direct_gradients, "ELEMENTS", 1)  # an image at a time
    monkeypatch.setattr(direct_gradients, "BAND", 1000)
    before = numba.get_num_threads()
    numba.set_num_threads(min(threads, before))
    try:
        scratch((2**20,), np.dtype(np.float32))[...] = np.nan
        filters_diff, image_diffs = np.full_like(filters, 3), np.full_like(images, np.nan)
        direct_gradients.add_filters_gradient(geometry, group, images, out_diffs, filters_diff)
        direct_gradients.image_gradient(geometry, group, out_diffs, filters, image_diffs)
    finally:
        numba.set_num_threads(before)

    reference = Im2colConvolution(geometry, group)
    exact, exact_images = np.full(filters.shape, 3.0), np.empty(images.shape)
    wide_images, wide_filters, wide_diffs = (x.astype(np.float64) for x in (images, filters, out_diffs))
    reference.add_filters_gradient(wide_images, wide_diffs, exact)
    reference.image_gradient(wide_diffs, wide_filters, exact_images)
    np.testing.assert_allclose(filters_diff, exact, rtol=1e-5, atol=2e-4)
    np.testing.assert_allclose(image_diffs, exact_images, rtol=1e-5, atol=2e-4)
