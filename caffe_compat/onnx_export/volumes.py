"""Pooling of three dimensions, and of more."""

from __future__ import annotations

from caffe_compat.layers.base import Layer
from caffe_compat.layers.nd_pooling import NdPooling
from caffe_compat.layers.pooling3d import Pooling3D
from caffe_compat.layers.pooling_nd import PoolingND
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.onnx_export.pooling import attributes_of, maxima_and_places, means_of, of_all, pad_behind
from caffe_compat.prototxt.caffe_pb2 import Pooling3DParameter, PoolingNDParameter


@converts("Pooling3D")
def pooling_3d(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Pooling3D)
    behind = [pad + stride - 1 for _, stride, pad in layer.windows]
    windows = attributes_of(layer, layer.windows, behind)
    if layer.layer_param.pooling3d_param.pool == Pooling3DParameter.MAX:
        return [write("MaxPool", *bottoms, **windows)]
    return [means_of(write, bottoms[0], windows)]


@converts("PoolingND", "NdPooling")
def pooling_nd(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, PoolingND)
    param, x, axes = layer.layer_param.pooling_nd_param, bottoms[0], len(layer.windows)
    is_max, ahead = param.pool == PoolingNDParameter.MAX, write.axes[x] - axes
    planes = write("Concat", write.ints([-1, 1]), write.dims(x, ahead, ahead + axes), axis=0)
    x = write("Reshape", x, planes)
    if param.global_pooling:
        tops = of_all(write, x, is_max, axes)
    else:
        tops = _of_windows(write, layer, x, is_max)
    channels = write.dims(bottoms[0], 0, ahead)
    shape = write("Concat", channels, write.dims(tops[0], 2, 2 + axes), axis=0)
    return [write("Reshape", top, shape) for top in tops[: len(layer.layer_param.top)]]


def _of_windows(write: Operators, layer: PoolingND, x: str, is_max: bool) -> list[str]:
    by_axis = isinstance(layer, NdPooling)
    is_padded = any(pad for _, _, pad in layer.windows)
    behind = [
        pad_behind(*window, bool(window[2]) if by_axis else is_padded, True) for window in layer.windows
    ]
    windows = attributes_of(layer, layer.windows, behind)
    if {*layer.dilations} != {1}:
        windows["dilations"] = list(layer.dilations)
    if not is_max:
        if by_axis:  # divided by the whole kernel
            return [write("AveragePool", x, count_include_pad=1, **windows)]
        return [means_of(write, x, windows)]
    if len(layer.layer_param.top) == 1:
        return [write("MaxPool", x, **windows)]
    return maxima_and_places(write, x, windows)
