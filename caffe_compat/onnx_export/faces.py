"""Layers of nets of faces, and of pruned ones: Flip, Insanity, NormL2, SelectChannels, UnitNormalize."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.insanity import Insanity
from caffe_compat.layers.metric.unit_normalize import UnitNormalize
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import Operators


@converts("Flip")
def flip(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, axes = layer.layer_param.flip_param, write.axes[bottoms[0]]
    turned = [axis for axis, flag in ((2, param.flip_height), (3, param.flip_width)) if flag and axis < axes]
    if not turned:
        return [write("Identity", *bottoms)]
    first, last, step = (write.ints([value] * len(turned)) for value in (-1, np.iinfo(np.int64).min, -1))
    return [write("Slice", *bottoms, first, last, write.ints(turned), step)]


@converts("Insanity")
def insanity(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Insanity)
    if layer.phase == TRAIN:
        raise layer.error("cannot be exported to ONNX in phase TRAIN, in which its slopes are random")
    return [write("LeakyRelu", *bottoms, alpha=1 / layer.mean_slope)]


@converts("SelectChannels")
def select_channels(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.filter_param
    kept = np.flatnonzero(layer.blobs[0].data)[: param.num_output]
    axis = param.axis % write.axes[bottoms[0]]
    return [write("Gather", bottom, write.ints(kept.tolist()), axis=axis) for bottom in bottoms]


@converts("NormL2")
def norm_l2(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    x, axes = bottoms[0], write.axes[bottoms[0]]
    squares = write("ReduceSum", write("Mul", x, x), write.ints(list(range(1, axes))), keepdims=1)
    return [_four_axes(write, write("Div", x, write("Sqrt", affine(write, squares, shift=1e-7))), axes)]


@converts("UnitNormalize")
def unit_normalize(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, UnitNormalize)
    x, axes = bottoms[0], write.axes[bottoms[0]]
    sizes = write("Mul", x, x) if layer.norm_type == "L2" else write("Abs", x)
    norms = affine(write, write("ReduceSum", sizes, write.ints([1]), keepdims=1), shift=1e-6)
    norms = write("Sqrt", norms) if layer.norm_type == "L2" else norms
    values = [write("Div", x, norms), norms][: layer.tops]
    return [_four_axes(write, value, axes) for value in values]


def _four_axes(write: Operators, x: str, axes: int) -> str:
    return x if axes == 4 else write("Unsqueeze", x, write.ints(list(range(axes, 4))))
