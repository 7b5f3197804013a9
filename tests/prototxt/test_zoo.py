"""The nets that ship with the package are those of the reference, where that is at hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from caffe_compat.errors import PrototxtError
from caffe_compat.graph import filter_net, insert_splits, with_state
from caffe_compat.prototxt import zoo
from caffe_compat.prototxt.caffe_pb2 import NetParameter
from caffe_compat.prototxt.reader import read_net, read_solver
from caffe_compat.prototxt.writer import net_text

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "ohem" / "models" / "pascal_voc"
M_1024 = "VGG_CNN_M_1024"
NETS = {
    "vgg_cnn_m_1024_fast_rcnn_ohem_train": "fast_rcnn_ohem/train.prototxt",
    "vgg_cnn_m_1024_fast_rcnn_train": "fast_rcnn/train.prototxt",
    "vgg_cnn_m_1024_fast_rcnn_test": "fast_rcnn/test.prototxt",
}
SOLVERS = {
    "vgg_cnn_m_1024_fast_rcnn_ohem_solver": "fast_rcnn_ohem/solver.prototxt",
    "vgg_cnn_m_1024_fast_rcnn_solver": "fast_rcnn/solver.prototxt",
}


def reference(name: str) -> Path:
    file = REFERENCE / M_1024 / name
    if not file.exists():
        pytest.skip(f"the reference nets are not at hand ({REFERENCE} is missing)")
    return file


def test_names() -> None:
    own = ["shapes_train", "shapes_ohem_train", "shapes_test", "shapes_solver", "shapes_ohem_solver"]
    assert zoo.names() == sorted([*NETS, *SOLVERS, *own, "lenet", "alexnet_deploy"])


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("phase", [0, 1])
def test_nets_are_those_of_the_reference(name: str, phase: int) -> None:
    def graph(file: Path) -> NetParameter:
        return insert_splits(filter_net(with_state(read_net(file)[0], phase)))

    assert net_text(graph(zoo.path(name))) == net_text(graph(reference(NETS[name])))


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers_are_those_of_the_reference(name: str) -> None:
    ours, _ = read_solver(zoo.path(name))
    theirs, _ = read_solver(reference(SOLVERS[name]))
    assert zoo.path(Path(ours.train_net).stem).name == ours.train_net
    ours.ClearField("train_net")
    theirs.ClearField("train_net")
    assert net_text(ours) == net_text(theirs)


@pytest.mark.parametrize(
    "name, shape, params",
    [("lenet", [64, 1, 28, 28], 431_080), ("alexnet_deploy", [10, 3, 227, 227], 60_965_224)],
)
def test_small_nets(name: str, shape: list[int], params: int) -> None:
    """The number of params follows from every kernel, stride, pad and group."""
    net, _ = read_net(zoo.path(name))
    assert list(net.layer[0].input_param.shape[0].dim) == shape
    assert _count_params(net) == params


def _count_params(net: NetParameter) -> int:
    _, channels, size, _ = net.layer[0].input_param.shape[0].dim
    total = 0
    for layer in net.layer:
        conv, pool, inner = layer.convolution_param, layer.pooling_param, layer.inner_product_param
        if layer.type == "Convolution":
            (kernel,) = conv.kernel_size
            pad, stride = sum(conv.pad), conv.stride[0] if conv.stride else 1
            total += conv.num_output * (channels // conv.group * kernel**2 + 1)
            channels, size = conv.num_output, (size + 2 * pad - kernel) // stride + 1
        elif layer.type == "Pooling":
            size = math.ceil((size - pool.kernel_size) / pool.stride) + 1
        elif layer.type == "InnerProduct":
            total += inner.num_output * (channels * size**2 + 1)
            channels, size = inner.num_output, 1
    return total


def test_unknown_name() -> None:
    with pytest.raises(PrototxtError, match="the zoo has no 'lnet'; it has lenet"):
        zoo.path("lnet")
