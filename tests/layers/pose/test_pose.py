"""ImResize and Nms: numbers by hand, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def test_a_ramp_stays_one():
    maps = np.tile(np.arange(8.0), (1, 1, 3, 1))
    (top,) = Runner('type: "ImResize" imresize_param { factor: 2 }', [maps]).forward()
    assert top.shape == (1, 1, 6, 16)
    np.testing.assert_allclose(top[0, 0, 2, 4:12], np.arange(4, 12) / 2 - 0.25, atol=1e-5)


def test_a_lonely_peak():
    plane = np.zeros((6, 7))
    plane[2, 3], plane[2, 4], plane[5, 6] = 0.9, 0.3, 2  # the last one stands at the border
    (top,) = Runner('type: "Nms" nms_param { num_parts: 1 max_peaks: 2 }', [plane[None, None]]).forward()
    scores = [(2, 3, 0.9), (2, 4, 0.3), (5, 6, 2)]
    x, y = (sum(place[i] * place[2] for place in scores) / 3.2 for i in (1, 0))
    np.testing.assert_allclose(top[0, 0], [[1, 0, 0], [x, y, 0.9], [0, 0, 0]], rtol=1e-6)


def test_more_peaks_than_there_is_room_for_are_counted():
    plane = np.zeros((5, 9))
    plane[2, 1::2] = 1
    (top,) = Runner('type: "Nms" nms_param { num_parts: 1 max_peaks: 2 }', [plane[None, None]]).forward()
    assert top.shape == (1, 1, 3, 3) and top[0, 0, 0, 0] == 4


def test_a_peak_below_0_lies_where_it_is():
    plane = np.full((3, 3), -2.0)
    plane[1, 1] = -1
    (top,) = Runner('type: "Nms" nms_param { num_parts: 1 threshold: -1.5 }', [plane[None, None]]).forward()
    assert top[0, 0, 1].tolist() == [1, 1, -1]


@pytest.mark.parametrize(
    "layer, shapes, message",
    [
        ('"ImResize" imresize_param { factor: 0.1 }', [(1, 1, 4, 5)], "becomes 0 x 0"),
        ('"ImResize" imresize_param { factor: -1 }', [(1, 1, 4, 5)], "becomes 0 x 0"),
        (
            '"ImResize" imresize_param { factor: 2 scale_gap: 1 }',
            [(2, 1, 4, 5)],
            "leave 0 of 4 pixels of maps 1",
        ),
        ('"ImResize" imresize_param { factor: 2 start_scale: 2 }', [(1, 1, 4, 5)], "leave 8 of 4 pixels"),
        ('"ImResize"', [(4, 5)], "expected N x C x H x W"),
        ('"Nms"', [(1, 2, 4, 5)], "at least num_parts, 15, maps"),
    ],
)
def test_what_is_wrong(layer, shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(f"type: {layer}", [np.ones(shape) for shape in shapes])


def test_the_gradient_of_heat_maps_is_their_difference():
    maps = np.random.RandomState(4).standard_normal((2, 2, 3, 4, 5)).astype(np.float32)
    runner = Runner('type: "EuclideanLossHeatmap"', [*maps, np.zeros((2, 1, 1, 1))])
    runner.forward()
    np.testing.assert_array_equal(runner.backward([0.3], [True, False, False])[0], maps[0] - maps[1])
    with pytest.raises(LayerError, match="the same twice"):
        Runner('type: "EuclideanLossHeatmap"', [maps[0], maps[1, :, :2], np.zeros((2, 1, 1, 1))])
