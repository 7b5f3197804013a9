"""ROIPooling in ONNX: roundings at .5, RoIs outside of the map, inverted ones, several images."""

import numpy as np
import onnx
import pytest
from runtimes import HAS_LOOP, RUNTIMES, differences, net_of, ours

from caffe_compat.onnx_export.model import to_onnx

NET = """
layer { name: "in" type: "Input" top: "maps" top: "rois"
        input_param { shape { dim: 1 dim: 5 dim: 12 dim: 17 } shape { dim: 2 dim: 5 } } }
layer { name: "pool" type: "ROIPooling" bottom: "maps" bottom: "rois" top: "pooled"
        roi_pooling_param { pooled_h: 3 pooled_w: 4 spatial_scale: 0.0625 } }
"""
SPECIAL = [  # image, x1, y1, x2, y2
    (1, 8, 24, 200, 300),  # halves: away from zero, 0.5 to 1 and 1.5 to 2
    (0, -8, -24, 40, 56),  # and below zero; begins outside of the map
    (1, 56, 72, 57, 73),  # less than a pixel
    (0, 100, 90, 60, 50),  # ends before it begins: one pixel
    (1, 1000, 40, 1100, 90),  # outside: all bins are empty
    (0, 200, 150, 700, 500),  # some bins are
    (1, -300, -300, 800, 800),  # more than the map
    (0, 7.9999995, 0, 263.99, 8),  # just below a half
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    net = net_of(tmp_path_factory.mktemp("net"), NET)
    model = to_onnx(net)
    onnx.checker.check_model(model, full_check=True)
    return net, model


@pytest.mark.filterwarnings("ignore:.*RoI:UserWarning")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_each_bin(exported, runtime):
    if runtime == "OpenCV" and not HAS_LOOP:
        pytest.skip("OpenCV's dnn has no Loop before 5.0")
    net, model = exported
    rng = np.random.default_rng(3)
    some = np.array(SPECIAL, np.float32)
    corners = rng.uniform(-20, 300, (60, 4))
    many = np.column_stack([rng.integers(0, 2, 60), corners]).astype(np.float32)
    for images, rois, height in ((2, some, 19), (2, many, 12), (1, some[[1]], 31)):
        inputs = {"maps": rng.standard_normal((images, 5, height, 23), np.float32) - 3, "rois": rois}
        mine = ours(net, inputs)
        assert differences(mine, RUNTIMES[runtime](model)(inputs)) == {"pooled": 0}
        assert (mine["pooled"] != 0).any()
    assert (ours(net, {"maps": inputs["maps"], "rois": some[[5]]})["pooled"] == 0).any()


@pytest.mark.filterwarnings("ignore:.*RoI:UserWarning")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_pad_ratio(runtime, tmp_path):
    if runtime == "OpenCV" and not HAS_LOOP:
        pytest.skip("OpenCV's dnn has no Loop before 5.0")
    net = net_of(tmp_path, NET.replace("spatial_scale: 0.0625", "spatial_scale: 0.0625 pad_ratio: 0.25"))
    rng = np.random.default_rng(3)
    maps = rng.standard_normal((2, 5, 19, 23), np.float32) - 3
    inputs = {"maps": maps, "rois": np.array(SPECIAL, np.float32)}
    assert differences(ours(net, inputs), RUNTIMES[runtime](to_onnx(net))(inputs)) == {"pooled": 0}


def test_dims_are_symbolic(exported):
    _, model = exported
    dims = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in [*model.graph.input, *model.graph.output]
    }
    assert dims == {
        "maps": ["maps_num", "maps_channels", "maps_height", "maps_width"],
        "rois": ["rois_num", 5],
        "pooled": ["rois_num", "maps_channels", 3, 4],
    }
