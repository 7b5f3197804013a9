"""Layers that make one number of many: Reduction, ChannelReduce, ArgMax."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.batch_reduction import BatchReduction
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
    if param.HasField("axis"):
        return _largest(write, x, param.axis % axes, param.top_k, [param.out_max_val])
    parts = [False, True][: 1 + param.out_max_val]
    found = _largest(write, write("Flatten", x, axis=1), 1, param.top_k, parts)
    both = write("Concat", *(write("Unsqueeze", part, write.ints([1])) for part in found), axis=1)
    return [write.reshape(both, 0, len(parts), param.top_k, *[1] * (axes - 3))]


def _largest(write: Operators, x: str, axis: int, count: int, parts: list[bool]) -> list[str]:
    """The largest elements along an axis (a part that is true), or their indices; of equal ones the last is first."""
    if count == 1:
        index = {"axis": axis, "keepdims": 1, "select_last_index": 1}
        return [
            write("ReduceMax", x, axes=[axis], keepdims=1)
            if is_value
            else write.cast(write("ArgMax", x, **index), np.float32)
            for is_value in parts
        ]
    values, behind = write.many("TopK", 2, write.reverse(x, axis), write.ints([count]), axis=axis)
    from_last = write("Sub", write.size(x, axis), write.cast(behind, np.float32))
    return [values if is_value else affine(write, from_last, shift=-1) for is_value in parts]


@converts("BatchReduction")
def batch_reduction(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, BatchReduction)
    param, x = layer.layer_param.batch_reduction_param, bottoms[0]
    axes, how = write.axes[x], param.reduction_param
    axis = how.axis % axes
    if param.pos:  # of two axes, where their indices are equal
        x = write(
            "Transpose", x, perm=[axis, axis + 1, *(i for i in range(axes) if i not in (axis, axis + 1))]
        )
        number = write("Unsqueeze", write.count_up(write.dims(x, 0, 1)), write.ints([1]))
        x = write("GatherND", x, write("Concat", number, number, axis=1))
        axes -= 1
        x = write("Transpose", x, perm=[*range(1, axis + 1), 0, *range(axis + 1, axes)])
    if how.operation == ReductionParameter.TOPK:
        x = write.many("TopK", 2, x, write.ints([how.k]), axis=axis)[0]
    levels = list(param.level) or [1]
    if levels == [1]:
        return [_reduced(write, x, axis, how.operation, 0)]
    parts = [level * level for level in levels]
    pieces = write.many("Split", len(parts), x, write.ints(parts), axis=axis)
    return [write("Concat", *(_reduced(write, piece, axis, how.operation, 1) for piece in pieces), axis=axis)]


def _reduced(write: Operators, x: str, axis: int, operation: int, keepdims: int) -> str:
    """The sum or the mean along an axis."""
    if operation == ReductionParameter.SUM:
        return write("ReduceSum", x, write.ints([axis]), keepdims=keepdims)
    return write("ReduceMean", x, axes=[axis], keepdims=keepdims)
