"""Small images that one product takes together: the same numbers, bit by bit, as one image at a time."""

import numpy as np
import pytest

from caffe_compat.layers.convolution import im2col_convolution
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry

# kernel, stride, pad, dilation of two axes or more; images; outputs
CASES = [
    ([(1, 1), (1, 1), (0, 0), (1, 1)], (523, 3, 2, 5), 7),
    ([(3, 2), (1, 2), (1, 0), (1, 1)], (230, 5, 4, 3), 2),
    ([(2, 2), (1, 1), (0, 0), (2, 1)], (61, 9, 4, 7), 6),
    ([(3,), (2,), (1,), (1,)], (350, 4, 9), 5),
    ([(1, 2, 2), (1, 1, 1), (0, 0, 1), (1, 1, 1)], (90, 3, 2, 3, 4), 6),
]


@pytest.mark.parametrize("windows, shape, outputs", CASES)
def test_as_one_at_a_time(windows, shape, outputs, monkeypatch):
    monkeypatch.setattr(im2col_convolution, "TOGETHER", 4096)
    rng = np.random.default_rng(3)
    products = im2col_convolution.Im2colConvolution(ConvGeometry(*windows), 1)
    images, bias = rng.standard_normal(shape, np.float32), rng.standard_normal(outputs, np.float32)
    filters = rng.standard_normal((outputs, shape[1], *windows[0]), np.float32)
    sizes = products._geometry.output_shape(shape[2:])
    diffs = rng.standard_normal((shape[0], outputs, *sizes), np.float32)

    def numbers():
        outs, plain, image_diffs = np.empty_like(diffs), np.empty_like(diffs), np.empty_like(images)
        filters_diff = np.ones_like(filters)
        products.forward(images, filters, bias, outs)
        products.forward(images, filters, None, plain)
        products.image_gradient(diffs, filters, image_diffs)
        products.add_filters_gradient(images, diffs, filters_diff)
        return outs, plain, image_diffs, filters_diff

    some = products._together(images, filters, diffs)
    assert 1 < some < shape[0] and shape[0] % some
    together = numbers()
    monkeypatch.setattr(im2col_convolution, "FEWEST", shape[0] + some)
    assert not products._together(images, filters, diffs)
    for mine, one_at_a_time in zip(together, numbers(), strict=True):
        np.testing.assert_array_equal(mine, one_at_a_time)


def test_float64_and_groups_are_one_at_a_time():
    images, outs = np.empty((50, 4, 2, 3), np.float32), np.empty((50, 6, 2, 3), np.float32)
    filters = np.empty((6, 2, 1, 1), np.float32)
    geometry = ConvGeometry((1, 1), (1, 1), (0, 0), (1, 1))
    assert not im2col_convolution.Im2colConvolution(geometry, 2)._together(images, filters, outs)
    plain = im2col_convolution.Im2colConvolution(geometry, 1)
    assert not plain._together(images, np.empty((6, 4, 1, 1)), outs)
    assert plain._together(images, np.empty((6, 4, 1, 1), np.float32), outs)
