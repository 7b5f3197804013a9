"""Video-caffe's NdConvolution and NdPooling, and P3D's Pooling3D, in the form of Convolution and PoolingND."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat import TEST, Net
from caffe_compat.errors import PrototxtError
from caffe_compat.prototxt.reader import parse_net

NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 7 dim: 6 } } }
layer { name: "conv" type: "NdConvolution" bottom: "x" top: "conv"
  convolution_param { num_output: 5 kernel_shape { dim: 2 dim: 3 dim: 1 } stride_shape { dim: 1 dim: 3 dim: 2 }
    pad_shape { dim: 1 dim: 0 dim: 2 } weight_filler { type: "xavier" } } }
layer { name: "pool" type: "NdPooling" bottom: "conv" top: "pool"
  pooling_param { pool: AVE kernel_shape { dim: 1 dim: 2 dim: 2 } stride_shape { dim: 1 dim: 2 dim: 2 }
    engine: CUDNN } }
layer { name: "all" type: "NdPooling" bottom: "pool" top: "all" pooling_param { global_pooling: true } }
"""

UPGRADED = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 7 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
  convolution_param { num_output: 5 kernel_size: [2, 3, 1] stride: [1, 3, 2] pad: [1, 0, 2]
    weight_filler { type: "xavier" } } }
layer { name: "pool" type: "NdPooling" bottom: "conv" top: "pool"
  pooling_nd_param { pool: AVE kernel_size: [1, 2, 2] stride: [1, 2, 2] global_pooling: false } }
layer { name: "all" type: "NdPooling" bottom: "pool" top: "all" pooling_nd_param { pool: MAX global_pooling: true } }
"""


def test_upgrade():
    assert parse_net(NET)[0] == parse_net(UPGRADED)[0]


P3D = """
layer { name: "a" type: "Pooling3D"
  pooling3d_param { pool: AVE kernel_size: 3 kernel_l: 2 stride: 2 stride_l: 4 pad: 1 } }
layer { name: "b" type: "Pooling3D"
  pooling3d_param { kernel_h: 3 kernel_w: 5 kernel_l: 2 stride_l: 1 pad_l: 1 engine: CAFFE } }
layer { name: "c" type: "Pooling3D" pooling3d_param { global_pooling: true } }
layer { name: "d" type: "Pooling3D" pooling3d_param { kernel_size: 3 kernel_depth: 2 temporal_stride: 4 } }
"""

POOLING_ND = """
layer { name: "a" type: "PoolingND"
  pooling_nd_param { pool: AVE kernel_size: [2, 3, 3] stride: [4, 2, 2] pad: [0, 1, 1] global_pooling: false } }
layer { name: "b" type: "PoolingND"
  pooling_nd_param { pool: MAX kernel_size: [2, 3, 5] stride: [1, 1, 1] pad: [1, 0, 0] global_pooling: false } }
layer { name: "c" type: "PoolingND" pooling_nd_param { pool: MAX global_pooling: true } }
layer { name: "d" type: "Pooling3D" pooling3d_param { kernel_size: 3 kernel_depth: 2 temporal_stride: 4 } }
"""


def test_p3d():
    """Its Pooling3D has other fields than C3D's, and pads, and another gradient."""
    assert parse_net(P3D)[0] == parse_net(POOLING_ND)[0]


def test_the_net_runs(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    net = Net(path, TEST)
    assert {name: net.blobs[name].shape[2:] for name in ("conv", "pool", "all")} == {
        "conv": (5, 2, 5),
        "pool": (5, 1, 3),
        "all": (1, 1, 1),
    }
    net.blobs["x"].data[...] = np.random.default_rng(1).standard_normal(net.blobs["x"].shape)
    net.forward()
    conv, pool = net.blobs["conv"].data, net.blobs["pool"].data
    np.testing.assert_allclose(pool[1, 2, 3, 0, 1], conv[1, 2, 3, :, 2:4].mean(), rtol=1e-5)
    np.testing.assert_allclose(pool[1, 2, 3, 0, 2], conv[1, 2, 3, :, 4].sum() / 4, rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ('"NdConvolution" convolution_param { num_output: 2 }', "has no kernel_shape; give"),
        (
            '"NdConvolution" convolution_param { kernel_shape { dim: 2 } kernel_size: 2 }',
            "has kernel_shape, stride_shape and pad_shape, no kernel_size",
        ),
        (
            '"NdPooling" pooling_param { kernel_shape { dim: 2 dim: 3 } pad_shape { dim: 1 } }',
            "different numbers of dims: kernel_shape has 2, pad_shape has 1",
        ),
        ('"NdPooling" pooling_param { kernel_shape { dim: -1 } }', "a shape has a dim below 0"),
        (
            '"Convolution" convolution_param { kernel_shape { dim: 2 } }',
            "convolution_param.kernel_shape is for type NdConvolution; give kernel_size",
        ),
        (
            '"Pooling" pooling_param { pad_shape { dim: 2 } }',
            "pooling_param.pad_shape is for type NdPooling; give pad",
        ),
        (
            '"Pooling3D" pooling3d_param { kernel_l: 2 kernel_depth: 2 }',
            "kernel_depth is C3D's, kernel_l P3D's; give those of one",
        ),
        (
            '"Pooling3D" pooling3d_param { kernel_l: 2 stride: 2 stride_w: 2 }',
            "give stride, or stride_h and stride_w, not both",
        ),
    ],
)
def test_errors(layer, message):
    with pytest.raises(PrototxtError, match=message):
        parse_net(f'layer {{ name: "a" type: {layer} }}')


@pytest.mark.parametrize(
    "sizes",
    [
        "kernel_size: 1 kernel_size: 2 kernel_size: 3 stride: 2 pad: 0 pad: 1 pad: 1",
        "kernel_size: [1, 2, 3] stride: [2] pad: [0,1,1]",
    ],
)
def test_a_pooling_with_a_size_for_each_axis_is_a_pooling_nd(sizes):
    net, _ = parse_net(
        f'layer {{ name: "p" type: "Pooling" bottom: "x" top: "y" pooling_param {{ pool: AVE {sizes} }} }}'
    )
    (layer,) = net.layer
    param = layer.pooling_nd_param
    assert (layer.type, param.pool, layer.HasField("pooling_param")) == ("PoolingND", param.AVE, False)
    assert ([*param.kernel_size], [*param.stride], [*param.pad]) == ([1, 2, 3], [2], [0, 1, 1])


def test_a_list_of_one_size_is_a_size():
    (layer,) = parse_net(
        'layer { name: "p" type: "Pooling" pooling_param { kernel_size: [3] stride: [2] } }'
    )[0].layer
    assert (layer.type, layer.pooling_param.kernel_size, layer.pooling_param.stride) == ("Pooling", 3, 2)


def test_holes_of_pooling_windows():
    text = 'layer { name: "p" type: "Pooling" bottom: "x" top: "y" pooling_param { kernel_size: 2 dilation: %d } }'
    net, _ = parse_net(text % 1)
    assert (net.layer[0].type, len(net.layer[0].pooling_param.dilation)) == ("Pooling", 0)
    (layer,) = parse_net(text % 2)[0].layer
    param = layer.pooling_nd_param
    assert (layer.type, [*param.kernel_size], [*param.dilation]) == ("PoolingND", [2], [2])
