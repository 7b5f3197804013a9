"""Inputs of RoIs of 4 numbers, as person search declares them."""

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.prototxt.reader import parse_net

NET = """
input: "data" input_shape { dim: 1 dim: 2 dim: 6 dim: 7 }
input: "rois" input_shape { dim: 3 dim: 4 }
input: "others" input_shape { dim: 3 dim: 4 }
layer { name: "pool" type: "%s" bottom: "data" bottom: "rois" top: "pool"
        roi_pooling_param { pooled_h: 1 pooled_w: 1 } }
layer { name: "silence" type: "Silence" bottom: "others" }
"""


@pytest.mark.parametrize("type, numbers", [("ROIPooling", 5), ("Eltwise", 4)])
def test_five_numbers_where_a_layer_pools_by_them(type, numbers):
    net, _ = parse_net(NET % type)
    assert [list(shape.dim) for shape in net.layer[0].input_param.shape] == [
        [1, 2, 6, 7],
        [3, numbers],
        [3, 4],
    ]


def test_the_net_runs(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET % "ROIPooling")
    net = caffe.Net(tmp_path / "net.prototxt", caffe.TEST)
    net.blobs["data"].data[...] = np.arange(84).reshape(1, 2, 6, 7)
    net.blobs["rois"].data[...] = [[0, 1, 0, 2, 1], [0, 0, 0, 6, 5], [0, 3, 3, 3, 3]]
    np.testing.assert_array_equal(net.forward()["pool"].reshape(3, 2), [[9, 51], [41, 83], [24, 66]])
