"""Resize: what fades at the end, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.prototxt.reader import parse_net
from layers.harness import Runner

MAP = np.array([[4.0, 8], [12, 16]]).reshape(1, 1, 2, 2)


def test_a_larger_map_fades_at_its_end():
    runner = Runner('type: "Resize" resize_param { height: 2 width: 4 }', [MAP])
    assert runner.forward()[0][0, 0].tolist() == [[4, 6, 8, 4], [12, 14, 16, 8]]
    assert runner.backward([np.ones((1, 1, 2, 4))])[0][0, 0].tolist() == [[1.5, 2], [1.5, 2]]


def test_layers_of_2014_have_it():
    net, _ = parse_net(
        'layers { name: "r" type: RESIZE bottom: "x" top: "y" resize_param { height: 3 width: 5 } }'
    )
    (layer,) = net.layer
    assert (layer.type, layer.resize_param.height, layer.resize_param.width) == ("Resize", 3, 5)


@pytest.mark.parametrize(
    ("params", "shape", "expected"),
    [
        ("width: 3", (1, 2, 3, 4), "resize_param gives no height above 0"),
        ("is_pyramid_test: true", (1, 2, 3, 4), "no out_height_scale and no out_width_scale above 0"),
        ("is_pyramid_test: true out_height_scale: 0.2 out_width_scale: 1", (1, 2, 3, 4), "with 0 x 4 pixels"),
        ("height: 2 width: 3", (2, 3), "expected N x C x H x W"),
    ],
)
def test_what_is_wrong(params, shape, expected):
    with pytest.raises(LayerError, match=expected):
        Runner(f'type: "Resize" resize_param {{ {params} }}', [np.ones(shape)])
