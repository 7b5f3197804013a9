"""A net as an ONNX model."""

from __future__ import annotations

import os
from collections.abc import Sequence

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
# bytes of constants: a protobuf message has 2 GB at most, and the operators are in it
LARGEST = 2**31 - 2**20


def to_onnx(net: Net) -> onnx.ModelProto:
    """The net, with the params that it has, as a model that ONNX's checker has passed.

    Inputs are the tops of the Input layers, outputs those of the net; both have the names of the blobs. Where layers
    change a blob in place, its last value has the name. Dims that may have other sizes are symbolic.

    Raises LayerError, with file and line, for a layer that has no form in ONNX; CaffeCompatError for a net without
    inputs or without outputs, and for a model of more than 2 GB.
    """
    model = onnx.ModelProto(
        ir_version=IR_VERSION,
        opset_import=[helper.make_opsetid("", OPSET)],
        producer_name="caffe-compat",
        producer_version=__version__,
    )
    with net.located():
        _fill(model.graph, net)
    onnx.checker.check_model(model)
    return model


def write(model: onnx.ModelProto, path: str | os.PathLike[str]) -> None:
    """Write a model to a file. Raises CaffeCompatError where it cannot be written."""
    with replacing(path) as temporary:
        onnx.save_model(model, temporary)


def _fill(graph: onnx.GraphProto, net: Net) -> None:
    graph.name = net.name or "net"
    write, values = Operators(graph), _Values(net)
    for layer, node in zip(net.layers, net.graph.nodes, strict=True):
        axes = [len(net.blobs[net.graph.blob_names[blob]].shape) for blob in node.bottoms]
        for blob in node.tops:  # one without rows may get some
            if 0 in (shape := net.blobs[net.graph.blob_names[blob]].shape)[1:]:
                raise layer.error(
                    f"cannot be exported to ONNX with a top of the shape {shape}, as no runtime takes that; reshape "
                    "the net's inputs so that all windows fit"
                )
        _convert(write, layer, node, values, axes)
        if write.bytes > LARGEST:
            raise CaffeCompatError(
                f"the params up to here have {write.bytes} bytes; ONNX's files hold 2 GB at most"
            )
    outputs = values.settle(write)
    if not net.inputs or not outputs:
        raise CaffeCompatError("a model needs an Input layer, and a blob that no layer reads")
    shapes = symbolic_shapes(net)
    graph.input.extend(_described(name, shapes[name]) for name in net.inputs)
    graph.output.extend(_described(name, shapes[blob]) for name, blob in outputs.items())


class _Values:
    """Which value each blob is at the moment, and which blob it was first."""

    def __init__(self, net: Net):
        self._names = net.graph.blob_names
        self._inputs = set(net.inputs)
        self._outputs = net.graph.outputs
        self._first: dict[str, int] = {}
        self.now: dict[int, str] = {}

    def set(self, blob: int, value: str) -> None:
        self.now[blob] = value
        self._first.setdefault(value, blob)

    def settle(self, write: Operators) -> dict[str, str]:
        """Give each blob's last value the blob's name, and the model its outputs. Returns output -> blob.

        A value keeps its name where the blob is an input, or where the value was another blob's first. An output with
        another blob's value becomes a copy of it. An input that was changed in place goes out under the name of its
        last value, and one that no layer reads does not go out at all.
        """
        names = {
            value: self._names[blob]
            for blob, value in self.now.items()
            if self._first[value] == blob and self._names[blob] not in self._inputs
        }
        write.rename(names)
        result = {}
        for blob in self._outputs:
            name, value = self._names[blob], names.get(self.now[blob], self.now[blob])
            if value in self._inputs and name in self._inputs:
                continue
            if name not in self._inputs and name != value:
                write.graph.node.append(helper.make_node("Identity", [value], [name], name=name))
                value = name
            result[value] = name
        return result


def _convert(write: Operators, layer: Layer, node: Node, values: _Values, axes: list[int]) -> None:
    """Add one layer; axes: how many its bottoms have."""
    tops: Sequence[str] = node.param.top
    if layer.type != "Input":
        write.scope = layer.name
        bottoms = [values.now[blob] for blob in node.bottoms]
        write.axes.update(zip(bottoms, axes, strict=True))
        tops = converter(layer)(write, layer, bottoms)
    for blob, value in zip(node.tops, tops, strict=True):
        values.set(blob, value)


def _described(name: str, dims: Dims) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims)
