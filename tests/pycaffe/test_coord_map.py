"""Maps of coordinates, with numbers worked out by hand, and the crop that a net then does."""

from __future__ import annotations

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat import layers as L  # noqa: N812
from caffe_compat.pycaffe.coord_map import (
    AxisMismatchException,
    compose,
    coord_map,
    coord_map_from_to,
    crop,
    inverse,
)


def data(side=40):
    return L.Input(shape=dict(dim=[1, 2, side, side]))


@pytest.mark.parametrize(
    "make, scale, shift",
    [
        (lambda d: L.Convolution(d, kernel_size=5, stride=2, pad=1), 1 / 2, (1 - 2) / 2),
        (lambda d: L.Convolution(d, convolution_param=dict(kernel_size=3, dilation=4)), 1, -4),
        (lambda d: L.Pooling(d, kernel_size=4, stride=4), 1 / 4, -1.5 / 4),
        (lambda d: L.Pooling(d, pooling_param=dict(kernel_size=2, stride=3)), 1 / 3, -0.5 / 3),
        (lambda d: L.Deconvolution(d, kernel_size=8, stride=4, pad=2), 4, 1.5),
        (lambda d: L.ReLU(d), 1, 0),
        (lambda d: L.Crop(d, d, crop_param=dict(offset=7)), 1, -7),
    ],
)
def test_one_layer(make, scale, shift):
    fn = make(data()).fn
    _, a, b = coord_map(fn)
    assert (a, b) == (scale, shift)


def test_compose_and_inverse():
    first, then = (None, 2, 3), (1, np.array([5.0]), np.array([7.0]))
    assert compose(then, first) == (1, 10, 22)  # 5 * (2 x + 3) + 7
    assert inverse((1, 4.0, 6.0)) == (1, 0.25, -1.5)
    with pytest.raises(AxisMismatchException):
        compose((1, 1, 0), (2, 1, 0))


def test_crop_puts_a_net_together():
    """FCN's way: 32 pixels of padding, an upsampling, and a crop back to the image's size."""
    n = caffe.NetSpec()
    n.data = data()
    n.conv = L.Convolution(n.data, convolution_param=dict(num_output=2, kernel_size=3, pad=10))
    n.pool = L.Pooling(n.conv, kernel_size=2, stride=2)
    n.up = L.Deconvolution(n.pool, convolution_param=dict(num_output=2, kernel_size=4, stride=2))
    n.score = crop(n.up, n.data)
    axis, a, b = coord_map_from_to(n.up, n.data)
    # conv: x + 9; pool: (x - 0.5) / 2; up: 2 x + 1.5. So up = x + 10, and back x - 10
    assert (axis, a, b) == (1, 1, -10)
    param = n.to_proto().layer[-1].crop_param
    assert param.axis == 2 and list(param.offset) == [10]
    net = caffe.Net.from_param(n.to_proto())
    assert net.blobs["score"].shape == net.blobs["data"].shape


def test_crop_through_layers_that_change_no_coordinate():
    image = data()
    assert crop(L.ReLU(image), image).fn.params["crop_param"] == {"axis": 2, "offset": [0]}


@pytest.mark.parametrize(
    "top, error, text",
    [
        (lambda d: L.Pooling(d, kernel_size=2, stride=2), AssertionError, "scale mismatch"),
        (lambda d: L.Convolution(d, kernel_size=3), AssertionError, "negative offset"),
        (lambda d: L.Convolution(d, kernel_size=2, pad=1), AssertionError, "noninteger"),
        (lambda d: L.Convolution(d, kernel_h=3, kernel_w=3), AssertionError, "legacy"),
        (lambda d: L.InnerProduct(d), RuntimeError, "Could not compute map"),
    ],
)
def test_what_cannot_be_cropped(top, error, text):
    image = data()
    with pytest.raises(error, match=text):
        crop(top(image), image)
