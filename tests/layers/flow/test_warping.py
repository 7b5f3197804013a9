"""Warping in both its forms: the border, the gradient that the original has, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST
from caffe_compat.layers.flow.warping import Warping
from caffe_compat.layers.flow.warping_of_images import WarpingOfImages
from caffe_compat.layers.registry import create_layer
from caffe_compat.prototxt.caffe_pb2 import LayerParameter
from layers.harness import Runner

MAPS = np.array([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]]).reshape(1, 1, 2, 3)
ONES = np.ones((1, 1, 2, 3))


def test_pixels_at_the_border_go_on():
    flow = np.stack([np.full((2, 3), 0.5), np.full((2, 3), -0.25)])[None]
    runner = Runner('type: "Warping"', [MAPS, flow])
    assert runner.forward()[0].ravel().tolist() == [1.5, 3, 4, 9.375, 18.75, 25]
    of_maps, of_flow = runner.backward([ONES])
    assert of_maps.ravel().tolist() == [0.625, 1.25, 1.875, 0.375, 0.75, 1.125]
    assert of_flow[0, 0].ravel().tolist() == [1, 2, 0, 6.25, 12.5, 0]
    assert of_flow[0, 1].ravel().tolist() == [0, 0, 0, 10.5, 21, 28]


def images(right, down) -> Runner:
    flows = [np.full((1, 1, 4, 4), way) for way in (right, down)]
    return Runner('type: "WarpingOfImages"', [np.arange(32.0).reshape(1, 2, 4, 4) ** 2, *flows])


def test_a_sample_with_a_pixel_outside_is_0():
    top = images(0.5, 1).forward()[0]
    assert top[0, 0].tolist() == [[20.5, 30.5, 42.5, 0], [72.5, 90.5, 110.5, 0], [0] * 4, [0] * 4]


def test_the_gradient_of_a_flow_is_the_slope_of_what_it_made():
    runner = images(0.5, 0.5)
    top = runner.forward()[0]
    seed = np.arange(1.0, 33).reshape(1, 2, 4, 4)
    _, right, down = runner.backward([seed], propagate_down=[False, True, True])
    want = sum(seed[0, c, 1, 2] * (top[0, c, 1, 3] - top[0, c, 1, 1]) / 2 for c in (0, 1))
    assert right[0, 0, 1, 2] == pytest.approx(want, rel=1e-6)
    want = sum(seed[0, c, 1, 2] * (top[0, c, 2, 2] - top[0, c, 0, 2]) / 2 for c in (0, 1))
    assert down[0, 0, 1, 2] == pytest.approx(want, rel=1e-6)
    assert not right[..., [0, 3]].any()
    assert not down[:, :, [0, 3]].any()


@pytest.mark.parametrize(
    ("name", "bottoms", "expected"),
    [
        ("Warping", [MAPS, MAPS], "expected N x C x H x W and N x 2 x H x W"),
        ("WarpingOfImages", [MAPS, MAPS, np.ones((1, 2, 2, 3))], "and twice N x 1 x H x W"),
    ],
)
def test_what_is_wrong(name, bottoms, expected):
    with pytest.raises(LayerError, match=expected):
        Runner(f'type: "{name}"', bottoms)


@pytest.mark.parametrize(("bottoms", "cls"), [("ab", Warping), ("abc", WarpingOfImages)])
def test_three_bottoms_are_images_and_two_flows(bottoms, cls):
    assert type(create_layer(LayerParameter(type="Warping", bottom=bottoms), TEST)) is cls
