"""Spatial pyramid pooling: as many outputs for maps of any size, so the bins are computed when the model runs."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.prototxt.caffe_pb2 import SPPParameter


@converts("SPP")
def spp(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, (x,) = layer.layer_param.spp_param, bottoms
    if param.pool == SPPParameter.STOCHASTIC:
        raise layer.error(
            "cannot be exported to ONNX with pool STOCHASTIC, which takes few sizes of maps; use AVE"
        )
    levels = [_level(write, x, 2**i, param.pool == SPPParameter.AVE) for i in range(param.pyramid_height)]
    if len(levels) == 1:
        return levels
    return [write("Concat", *(write("Flatten", level, axis=1) for level in levels), axis=1)]


def _level(write: Operators, x: str, bins: int, is_mean: bool) -> str:
    """N x C x bins x bins."""
    if not is_mean:
        return _over_bins(write, x, bins, is_sum=False)
    area = write.cast(write("ReduceProd", _kernel(write, x, bins, 2, 4)), np.float32)
    return write("Div", _over_bins(write, x, bins, is_sum=True), area)


def _kernel(write: Operators, x: str, bins: int, start: int, end: int) -> str:
    """How many pixels a bin has along the axes from start to end: the size over the bins, rounded up."""
    sizes = write("Add", write.dims(x, start, end), write.ints([bins - 1]))
    return write("Div", sizes, write.ints([bins]))


def _over_bins(write: Operators, x: str, bins: int, is_sum: bool) -> str:
    """The sum or the maximum of each bin. They reach beyond the map, one half of that (rounded up) before it."""
    for axis in (2, 3):
        size, kernel = write.dims(x, axis, axis + 1), _kernel(write, x, bins, axis, axis + 1)
        beyond = write("Sub", write("Mul", kernel, write.ints([bins])), size)
        pad = write("Div", write("Add", beyond, write.ints([1])), write.ints([2]))
        edges = write("Sub", write("Mul", kernel, write.ints(np.arange(bins + 1))), pad)
        edges = write("Min", write("Max", edges, write.ints([0])), size)
        parts = [
            write("Slice", x, *(write.slice(edges, i, i + 1, 0) for i in (b, b + 1)), write.ints([axis]))
            for b in range(bins)
        ]
        reduced = [
            write("ReduceSum", part, write.ints([axis])) if is_sum else write("ReduceMax", part, axes=[axis])
            for part in parts
        ]
        x = write("Concat", *reduced, axis=axis)
    return x
