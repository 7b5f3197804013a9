"""Nets written with NetSpec: the text they give, and that it is a net."""

from __future__ import annotations

import subprocess
import sys

import pytest

import caffe_compat as caffe
from caffe_compat import layers as L  # noqa: N812
from caffe_compat import params as P  # noqa: N812
from caffe_compat.prototxt import zoo
from caffe_compat.prototxt.caffe_pb2 import LayerParameter
from caffe_compat.prototxt.net_spec import assign_proto, param_name_dict
from caffe_compat.prototxt.reader import parse_net, read_net


def lenet():
    n = caffe.NetSpec()
    n.data, n.label = L.DummyData(shape=[dict(dim=[3, 1, 28, 28]), dict(dim=3)], ntop=2)
    filler = dict(type="xavier")
    mults = [dict(lr_mult=1), dict(lr_mult=2)]
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=20, weight_filler=filler, param=mults)
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.ip1 = L.InnerProduct(n.pool1, num_output=7, weight_filler=filler)
    n["relu1"] = L.ReLU(n.ip1, in_place=True)
    n.ip2 = L.InnerProduct(n["relu1"], num_output=10, weight_filler=filler)
    n.loss = L.SoftmaxWithLoss(n.ip2, n.label, loss_weight=0.5)
    return n


def test_the_net_parses_back_and_runs():
    proto = lenet().to_proto()
    assert [layer.name for layer in proto.layer] == ["data", "conv1", "pool1", "ip1", "relu1", "ip2", "loss"]
    assert list(proto.layer[4].top) == list(proto.layer[4].bottom) == list(proto.layer[5].bottom) == ["ip1"]
    parsed, source = parse_net(str(proto))
    assert parsed == proto
    net = caffe.Net.from_param(parsed, source)
    assert net.blobs["pool1"].shape == (3, 20, 12, 12)
    assert net.forward()["loss"].shape == ()


def test_alexnet_is_the_zoos():
    """The deploy net, layer by layer from what the prototxt that ships says."""
    want, _ = read_net(zoo.path("alexnet_deploy"))
    n, tops = caffe.NetSpec(), {}
    for layer in want.layer:
        params = {f.name: as_python(value) for f, value in layer.ListFields() if f.name.endswith("param")}
        in_place = len(layer.bottom) == 1 and list(layer.bottom) == list(layer.top)
        top = getattr(L, layer.type)(*(tops[b] for b in layer.bottom), in_place=in_place, **params)
        n[layer.name] = tops[layer.top[0]] = top
    got = n.to_proto()
    got.name = want.name
    assert [layer.type for layer in got.layer] == [layer.type for layer in want.layer]
    for mine, theirs in zip(got.layer, want.layer, strict=True):
        for field, value in theirs.ListFields():
            if field.name.endswith("param"):
                assert str(getattr(mine, field.name)) == str(value), theirs.name
    assert parse_net(str(got))[0] == got
    net = caffe.Net.from_param(parse_net(str(got))[0])
    expected = caffe.Net(zoo.path("alexnet_deploy"), caffe.TEST)
    assert [blob.shape for blob in net.blobs.values()] == [blob.shape for blob in expected.blobs.values()]


def as_python(value):
    """A message as a dict, a repeated field as a list."""
    if hasattr(value, "ListFields"):
        return {field.name: as_python(item) for field, item in value.ListFields()}
    return [as_python(item) for item in value] if hasattr(value, "extend") else value


def test_made_up_names_and_only_what_is_needed():
    data = L.Input(shape=dict(dim=[2, 3]))
    L.InnerProduct(data, num_output=9)
    first = L.InnerProduct(data, num_output=4)
    both = L.Eltwise(L.InnerProduct(first, num_output=5), L.InnerProduct(data, num_output=5))
    names = [(layer.name, list(layer.bottom)) for layer in both.to_proto().layer]
    assert names == [
        ("Input1", []),
        ("InnerProduct1", ["Input1"]),
        ("InnerProduct2", ["InnerProduct1"]),
        ("InnerProduct3", ["Input1"]),
        ("Eltwise1", ["InnerProduct2", "InnerProduct3"]),
    ]
    assert [layer.name for layer in caffe.to_proto(first, both).layer] == [name for name, _ in names]


def test_a_net_deeper_than_the_stack():
    top = L.Input(shape=dict(dim=[2, 3]))
    for _ in range(3000):
        top = L.ReLU(top)
    assert len(top.to_proto().layer) == 3001


def test_layers_without_tops_and_tops_without_names():
    n = caffe.NetSpec()
    first, n.second = L.DummyData(shape=dict(dim=3), ntop=2)
    n.quiet = L.Silence(first, n.second, ntop=0)
    proto = n.to_proto()
    assert list(proto.layer[0].top) == ["DummyData1", "second"] and proto.layer[0].name == "DummyData1"
    assert proto.layer[1].name == "quiet" and list(proto.layer[1].bottom) == ["DummyData1", "second"]
    assert not hasattr(n, "first") and list(n.tops) == ["second", "quiet"]


@pytest.mark.parametrize(
    "write, error, text",
    [
        (lambda d: L.Convolution(d, num_ouput=3), AttributeError, "did you mean 'num_output'"),
        (lambda d: L.Deconvolution(d, num_output=3), AttributeError, "within convolution_param"),
        (
            lambda d: L.Convolution(d, num_output="x"),
            TypeError,
            r"'Convolution1' \(Convolution\), num_output",
        ),
        (lambda d: L.ReLU((d, d)), TypeError, "ReLU input 0 is not a Top"),
    ],
)
def test_errors_name_layer_and_field(write, error, text):
    with pytest.raises(error, match=text):
        write(L.Input(shape=dict(dim=1))).to_proto()


def test_several_tops_for_one_name():
    with pytest.raises(TypeError, match="'data' is to be a top"):
        caffe.NetSpec().data = L.Data(ntop=2)


def test_assign_proto():
    layer = LayerParameter()
    assign_proto(layer, "bottom", "one")
    assign_proto(layer, "bottom", ["two", "three"])
    assign_proto(layer, "include", [dict(phase=1), dict(stage=["a", "b"])])
    assign_proto(layer, "pooling_param", dict(pool=P.Pooling.AVE))
    assert list(layer.bottom) == ["one", "two", "three"] and list(layer.include[1].stage) == ["a", "b"]
    assert layer.pooling_param.pool == 1 and P.Data.LMDB == 1
    assert param_name_dict()["InnerProduct"] == "inner_product" and param_name_dict()["LRN"] == "lrn"


def test_layers_is_a_package_too():
    code = (
        "import caffe_compat; caffe_compat.install_as_caffe()\n"
        "import caffe.layers.relu, caffe\n"
        "from caffe import layers as L, params as P\n"
        "from caffe.proto import caffe_pb2\n"
        "assert caffe.layers is L and L.relu.__name__ == 'caffe_compat.layers.relu'\n"
        "net = L.ReLU(caffe.layers.Input()).to_proto()\n"
        "assert isinstance(net, caffe_pb2.NetParameter) and P.Pooling.MAX == 0 and not hasattr(L, 'nothing')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
