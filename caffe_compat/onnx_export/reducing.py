"""Layers that make one number of many: Reduction, ChannelReduce, ArgMax."""

from __future__ import annotations

import onnx

from caffe_compat.layers.base import Layer
from caffe_compat.layers.channel_reduce import ChannelReduce
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.prototxt.caffe_pb2 import ChannelReduceParameter, ReductionParameter


@converts("Reduction")
def reduction(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, axes, x = layer.layer_param.reduction_param, write.axes[bottoms[0]], bottoms[0]
    over = list(range(param.axis % axes, axes))
    if param.operation == ReductionParameter.MEAN:
        y = write("ReduceMean", x, axes=over, keepdims=0)
    else:
        if param.operation == ReductionParameter.ASUM:
            x = write("Abs", x)
        elif param.operation == ReductionParameter.SUMSQ:
            x = write("Mul", x, x)
        y = write("ReduceSum", x, write.ints(over), keepdims=0)
    return [affine(write, y, scale=param.coeff)]


@converts("ChannelReduce")
def channel_reduce(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, ChannelReduce)
    _, groups, each, _ = layer.view
    parts = [write.slice(bottoms[0], each * i, each * (i + 1), 1) for i in range(groups)]
    if layer.layer_param.channel_reduce_param.operation == ChannelReduceParameter.SUM:
        folded = [write("ReduceSum", part, write.ints([1]), keepdims=1) for part in parts]
    else:
        folded = [write("ReduceMax", part, axes=[1], keepdims=1) for part in parts]
    return [write("Concat", *folded, axis=1)]


@converts("ArgMax")
def arg_max(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, axes, x = layer.layer_param.argmax_param, write.axes[bottoms[0]], bottoms[0]
    if param.top_k != 1:
        raise layer.error(
            f"cannot be exported to ONNX with top_k {param.top_k}: its TopK orders equal elements otherwise; use 1"
        )
    if param.HasField("axis"):
        return [_largest(write, x, param.axis % axes, param.out_max_val)]
    rows = write("Flatten", x, axis=1)
    parts = [
        _largest(write, rows, 1, is_value) for is_value in ((False, True) if param.out_max_val else (False,))
    ]
    return [write.reshape(write("Concat", *parts, axis=1), 0, len(parts), 1, *[1] * (axes - 3))]


def _largest(write: Operators, x: str, axis: int, is_value: bool) -> str:
    """The largest element along an axis, which stays with a dim of 1, or its index; of equal ones the last."""
    if is_value:
        return write("ReduceMax", x, axes=[axis], keepdims=1)
    index = write("ArgMax", x, axis=axis, keepdims=1, select_last_index=1)
    return write("Cast", index, to=onnx.TensorProto.FLOAT)
