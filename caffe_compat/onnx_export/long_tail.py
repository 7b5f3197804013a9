"""Layers that single projects added: Flip, Insanity, SelectChannels, Local, ChannelScale and others."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.local import Local
from caffe_compat.layers.insanity import Insanity
from caffe_compat.layers.mask_outputs import MaskOutputs
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.filters import columns_of
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


@converts("Local")
def local(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Local)
    param, (inputs, places) = layer.layer_param.local_param, layer.size
    windows = ConvGeometry(*((n, n) for n in (param.kernel_size, param.stride, param.pad, 1)))
    columns = write.reshape(columns_of(write, bottoms[0], 1, windows), -1, inputs, places)
    filters = layer.blobs[0].data.reshape(-1, inputs, places).transpose(2, 1, 0)
    y = write("MatMul", write("Transpose", columns, perm=[2, 0, 1]), write.floats(filters))
    y = write("Transpose", y, perm=[1, 2, 0])
    if param.bias_term:
        y = write("Add", y, write.floats(layer.blobs[1].data[0, 0]))
    return [write.reshape(y, 0, 0, *layer.out)]


@converts("ChannelScale")
def channel_scale(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    x, scales = bottoms
    if not layer.layer_param.channel_scale_param.do_forward:
        return [write("Identity", x)]
    parts = write.dims(x, 0, 1), write.ints([1]), write.dims(x, 2, write.axes[x])
    return [write("Mul", x, write("Reshape", scales, write("Concat", *parts, axis=0)))]


@converts("Noise")
def noise(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Identity", *bottoms)]


@converts("GradientScaler")
def gradient_scaler(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return bottoms


@converts("MaskOutputs")
def mask_outputs(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, MaskOutputs)
    classes = write.cast(write.reshape(bottoms[1], -1, 1), np.int64)
    by_class = write.reshape(bottoms[0], 0, -1, layer.size)
    return [write("GatherND", by_class, classes, batch_dims=1)]
