"""A net as an ONNX model."""

from __future__ import annotations

import os

import onnx
from onnx import helper

from caffe_compat.errors import CaffeCompatError
from caffe_compat.files import replacing
from caffe_compat.graph import Node
from caffe_compat.layers.base import Layer
from caffe_compat.net import Net
from caffe_compat.onnx_export.converters import converter
from caffe_compat.onnx_export.operators import OPSET, Operators
from caffe_compat.onnx_export.shapes import Dims, symbolic_shapes
from caffe_compat.version import __version__

IR_VERSION = 8  # the one that came with the opset
LARGEST = 2**31 - 1  # bytes of a protobuf message


def to_onnx(net: Net) -> onnx.ModelProto:
    """The net, with the params that it has, as a model that ONNX's checker has passed.

    Inputs are the tops of the Input layers, outputs the net's; both are called as the blobs are. A value of a blob
    that is changed in place is called as the blob only after the last change. Dims in which the net takes other
    sizes too are symbolic.

    Raises LayerError, with file and line, for a layer that has no form in ONNX, CaffeCompatError where nothing goes
    in or comes out, or where the model would have more than 2 GB.
    """
    with net._located():
        if not net.inputs or not set(net.outputs) - set(net.inputs):
            raise CaffeCompatError("a model needs an Input layer, and an output that is none of the inputs")
        write, values = Operators(), _Values(net)
        for layer, node in zip(net.layers, net.graph.nodes, strict=True):
            axes = [len(net.blobs[net.graph.blob_names[blob]].shape) for blob in node.bottoms]
            _convert(write, layer, node, values, axes)
        values.settle(write)
        shapes = symbolic_shapes(net)
        outputs = [name for name in net.outputs if name not in net.inputs]
        graph = helper.make_graph(
            [*write.nodes, *values.outputs(outputs)],
            net.name or "net",
            [_described(name, shapes[name]) for name in net.inputs],
            [_described(name, shapes[name]) for name in outputs],
            write.constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="caffe-compat",
            producer_version=__version__,
        )
        if model.ByteSize() > LARGEST:
            raise CaffeCompatError(f"the model has {model.ByteSize()} bytes; ONNX's files hold 2 GB at most")
    onnx.checker.check_model(model)
    return model


def write(model: onnx.ModelProto, path: str | os.PathLike[str]) -> None:
    """Write a model to a file. Raises CaffeCompatError where it cannot be written."""
    with replacing(path) as temporary:
        onnx.save_model(model, temporary)


class _Values:
    """Which value each blob is at the moment, and what the blobs' values are called."""

    def __init__(self, net: Net):
        self._names = net.graph.blob_names
        self._inputs = set(net.inputs)
        self._last = {top: node for node in net.graph.nodes for top in node.tops}
        self.now: dict[int, str] = {}

    def name(self, blob: int, node: Node) -> str:
        """What the value that a layer writes to a blob is called."""
        name = self._names[blob]
        is_free = self._last[blob] is node and name not in self._inputs
        return name if is_free else f"{name}/{node.param.name}"

    def settle(self, write: Operators) -> None:
        """Call by the blob's name what a layer that changes nothing, such as Dropout, left as the blob's last value."""
        for blob, value in list(self.now.items()):
            name = self._names[blob]
            if name not in self._inputs and value.startswith(f"{name}/") and write.rename(value, name, 0):
                self.now.update({other: name for other, known in self.now.items() if known == value})

    def outputs(self, names: list[str]) -> list[onnx.NodeProto]:
        """Operators that give the values of these blobs the blobs' names, where they have others."""
        ends = {self._names[blob]: value for blob, value in self.now.items()}
        return [helper.make_node("Identity", [ends[name]], [name]) for name in names if ends[name] != name]


def _convert(write: Operators, layer: Layer, node: Node, values: _Values, axes: list[int]) -> None:
    """Add one layer; axes: how many its bottoms have."""
    if layer.type == "Input":
        values.now.update({top: layer_top for top, layer_top in zip(node.tops, node.param.top, strict=True)})
        return
    before = len(write.nodes)
    write.scope = layer.name
    bottoms = [values.now[blob] for blob in node.bottoms]
    write.axes.update(zip(bottoms, axes, strict=True))
    tops = converter(layer)(write, layer, bottoms)
    for blob, value in zip(node.tops, tops, strict=True):
        name = values.name(blob, node)
        values.now[blob] = name if write.rename(value, name, before) else value


def _described(name: str, dims: Dims) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims)
