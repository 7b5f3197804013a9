"""SpatialWta: windows of a map, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

MAP = np.array([[1.0, -5, 2, 9], [3, 4, -7, 0], [6, 6, 1, 1]]).reshape(1, 1, 3, 4)


def test_the_farthest_from_0_stays():
    runner = Runner('type: "SpatialWta" spatial_wta_param { kernel_size: 2 stride: 2 }', [MAP], tops=2)
    top, mask = runner.forward()
    assert top[0, 0].tolist() == [[0, -5, 0, 9], [0] * 4, [0] * 4]
    assert mask[0, 0].tolist() == [[0, 1, 0, 1], [0] * 4, [0] * 4]
    assert runner.backward([MAP, MAP])[0].tolist() == top.tolist()


def test_the_first_of_equal_ones():
    top = Runner('type: "SpatialWta" spatial_wta_param { kernel_h: 1 kernel_w: 4 }', [MAP]).forward()[0]
    assert top[0, 0].tolist() == [[0, 0, 0, 9], [0, 0, -7, 0], [6, 0, 0, 0]]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("", "give kernel_size, or kernel_h and kernel_w"),
        ("kernel_size: 2 kernel_h: 2", "give kernel_size, or kernel_h and kernel_w"),
        ("kernel_size: 2 stride_h: 2", "give stride, or stride_h and stride_w"),
        ("kernel_size: 2 stride: 0", "must be at least 1"),
        ("kernel_size: 4", "windows of 4 x 4 do not fit"),
        ("global_wta: true kernel_size: 2", "for the whole map"),
        ("global_wta: true stride: 2", "for the whole map"),
    ],
)
def test_what_is_wrong(params, expected):
    with pytest.raises(LayerError, match=expected):
        Runner(f'type: "SpatialWta" spatial_wta_param {{ {params} }}', [MAP])
