"""Synopsys' paddings, ReLU6 and UpsampleDarknet in the form of others."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat import TEST, Net
from caffe_compat.errors import PrototxtError
from caffe_compat.prototxt.reader import parse_net


def convolution(params, message="convolution_param", type="Convolution"):
    return f'layer {{ name: "a" type: "{type}" bottom: "x" top: "y" {message} {{ {params} }} }}'


def pooling(params):
    return convolution(f"kernel_size: 3 {params}", "pooling_param", "Pooling")


@pytest.mark.parametrize(
    ("text", "upgraded"),
    [
        (
            convolution("pad_l: 1 pad_r: 1 pad_t: 2 pad_b: 2", type="Convolution"),
            convolution("pad_h: 2 pad_w: 1"),
        ),
        (convolution("pad_l: 0 pad_r: 0 pad_t: 0 pad_b: 0 pad: 1"), convolution("pad: 1")),
        (
            convolution("pad_r: 1 pad_b: 2"),
            convolution("")[:-1] + "padding_sides_param { right: 1 bottom: 2 } }",
        ),
        (pooling("pool: AVE_TF"), pooling("pool: AVE")),
        (
            pooling("pool: AVE_EXC_PAD pad: 1"),
            pooling("pool: AVE_EXC_PAD")[:-1] + "padding_sides_param { left: 1 right: 1 top: 1 bottom: 1 } }",
        ),
        (
            convolution("relu6: true negative_slope: 0.5", "relu_param", "ReLU"),
            convolution("negative_slope: 0.5", "relu6_param", "ReLU6"),
        ),
        (
            convolution("pixelshuffler: 2", "reshape_param", "Reshape"),
            convolution('block_size: 2 data_format: "CRD"', "depth_to_space_param", "DepthToSpace"),
        ),
        (
            convolution("stride: 2", "upsample_darknet_param", "UpsampleDarknet"),
            convolution("scale: 2", "upsample_param", "Upsample"),
        ),
    ],
)
def test_upgrade(text, upgraded):
    assert parse_net(text)[0] == parse_net(upgraded)[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (convolution("pad_l: 1 pad: 1"), r"layer 'a' \(Convolution\) has pad_l and pad; remove one"),
        (convolution("pad_l: -1"), "has a padding below 0"),
        (convolution("pad_l: 1", type="Deconvolution"), "which only type Convolution takes; give pad"),
    ],
)
def test_what_does_not_fit(text, message):
    with pytest.raises(PrototxtError, match=message):
        parse_net(text)


@pytest.mark.parametrize("engine", ["strict", "fast"])
def test_the_net_runs(tmp_path, engine):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 6 dim: 8 } } }'
        + convolution(
            "num_output: 3 kernel_size: 3 stride: 2 pad_r: 1 pad_b: 1 weight_filler { type: 'xavier' }"
        )
        + pooling("pool: AVE_EXC_PAD pad: 1")
        .replace('"a"', '"p"')
        .replace('"y"', '"z"')
        .replace('"x"', '"y"')
        + 'layer { name: "r" type: "ReLU" bottom: "z" top: "z" relu_param { relu6: true } }'
    )
    net = Net(path, TEST, engine=engine)
    net.blobs["x"].data[...] = np.random.default_rng(1).standard_normal(net.blobs["x"].shape)
    net.forward()
    y, z = net.blobs["y"].data, net.blobs["z"].data
    assert y.shape == (1, 3, 3, 4)
    corner = net.blobs["x"].data[0, :, 4:6, 6:8]
    np.testing.assert_allclose(
        y[0, :, 2, 3], (net.params["a"][0].data[..., :2, :2] * corner).sum((1, 2, 3)), rtol=1e-5
    )
    np.testing.assert_allclose(z[0, :, 0, 0], np.clip(y[0, :, :2, :2].mean((1, 2)), 0, 6), rtol=1e-5)


def test_a_window_in_the_padding_alone(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }'
        + pooling("stride: 1 pad_r: 3")
    )
    with pytest.raises(Exception, match="lies in the padding alone"):
        Net(path, TEST)


def test_a_pooling_layer_with_the_message_of_another_type():
    """It is not read there, and says nothing of the pooling."""
    text = (
        'layer { name: "p" type: "Pooling" convolution_param { kernel_size: 3 } pooling_param { pool: AVE } }'
    )
    (layer,) = parse_net(text)[0].layer
    assert layer.pooling_param.pool == layer.pooling_param.AVE and layer.HasField("convolution_param")
