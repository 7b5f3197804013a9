"""Where a value stands, in words."""

import pytest

from caffe_compat import Net
from caffe_compat.index_names import param_place

NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "c"
    convolution_param { num_output: 11 kernel_h: 2 kernel_w: 4 } }
layer { name: "up" type: "Deconvolution" bottom: "c" top: "d" convolution_param { num_output: 13 kernel_size: 2 } }
layer { name: "norm" type: "BatchNorm" bottom: "d" top: "n" }
layer { name: "scale" type: "Scale" bottom: "n" top: "s" scale_param { axis: 2 num_axes: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "s" top: "i" inner_product_param { num_output: 17 } }
layer { name: "turned" type: "InnerProduct" bottom: "i" top: "t"
    inner_product_param { num_output: 19 transpose: true } }
"""


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    path = tmp_path_factory.mktemp("net") / "net.prototxt"
    path.write_text(NET)
    return Net(str(path), 1)


@pytest.mark.parametrize(
    ("layer", "param", "sizes"),
    [
        ("conv", 0, {"output": 11, "input": 3, "row": 2, "column": 4}),
        ("conv", 1, {"output": 11}),
        ("up", 0, {"input": 11, "output": 13, "row": 2, "column": 2}),
        ("up", 1, {"output": 13}),
        ("norm", 1, {"channel": 13}),
        ("ip", 1, {"output": 17}),
        ("turned", 0, {"input": 17, "output": 19}),
    ],
)
def test_the_axes_of_params(net, layer, param, sizes):
    assert net.params[layer][param].shape == tuple(sizes.values())
    words = ", ".join(f"{name} {i}" for i, name in enumerate(sizes))
    assert param_place(net, net.layer_names.index(layer), param, tuple(range(len(sizes)))) == words


def test_axes_without_a_name_are_numbers(net):
    assert param_place(net, net.layer_names.index("scale"), 0, (2, 3)) == "index 2, 3"
