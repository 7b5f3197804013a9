"""Layers of windows or learned weights: Convolution, Deconvolution, Im2col, Local, InnerProduct, Embed."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from caffe_compat.layers.base import Layer
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry, read_geometry
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators


@converts("Convolution", "Convolution3D", "ConvolutionDepthwise", "DepthwiseConvolution")
def convolution(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return _filtered("Conv", write, layer, bottoms)


@converts("Deconvolution", "Deconvolution3D")
def deconvolution(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return _filtered("ConvTranspose", write, layer, bottoms)


def _filtered(type: str, write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    """One operator a bottom; ONNX keeps filters and biases in Caffe's order."""
    assert isinstance(layer, Convolution)
    axes = len(layer.blobs[0].shape) - 2
    if write.axes[bottoms[0]] != axes + 2 or axes < 1:
        raise layer.error(
            "cannot be exported to ONNX, which has its channels on axis 1 and at least one axis behind"
        )
    windows = read_geometry(layer, axes)
    attributes = _attributes(windows) | {"group": layer.group}
    return [write(type, bottom, *map(write.param, layer.blobs), **attributes) for bottom in bottoms]


def _attributes(windows: ConvGeometry) -> dict[str, Any]:
    return {
        "kernel_shape": windows.kernel,
        "strides": windows.stride,
        "pads": windows.pad * 2,
        "dilations": windows.dilation,
    }


@converts("Im2col")
def im2col(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    x, axes = bottoms[0], write.axes[bottoms[0]]
    axis = layer.layer_param.convolution_param.axis % axes
    columns = columns_of(write, x, axis, read_geometry(layer, axes - axis - 1))
    channels = write("Concat", write.dims(x, 0, axis), write.ints([-1]), axis=0)
    shape = write("Concat", channels, write.dims(columns, 2, axes - axis + 1), axis=0)
    return [write("Reshape", columns, shape)]


def columns_of(write: Operators, x: str, axis: int, windows: ConvGeometry) -> str:
    """M x K x ...: of each of the M maps of x, whose channels are on this axis, the K pixels of each window."""
    axes = write.axes[x]
    maps = write("Reshape", x, write("Concat", write.ints([-1, 1]), write.dims(x, axis + 1, axes), axis=0))
    pixels = np.eye(windows.elements).reshape(-1, 1, *windows.kernel)
    return write("Conv", maps, write.floats(pixels), **_attributes(windows))


@converts("InnerProduct")
def inner_product(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, x = layer.layer_param.inner_product_param, bottoms[0]
    axes = write.axes[bottoms[0]]
    axis = param.axis % axes
    if axis <= 1:
        rows = x if (axis, axes) == (1, 2) else write("Flatten", x, axis=axis)
        y = write("Gemm", rows, *map(write.param, layer.blobs), transB=int(not param.transpose))
        return [y if axis else write.reshape(y, param.num_output)]
    weights, *bias = (blob.data for blob in layer.blobs)
    matrix = weights if param.transpose else weights.T
    y = write("MatMul", write.reshape(x, *[0] * axis, len(matrix)), write.floats(matrix))
    return [write("Add", y, write.floats(bias[0])) if bias else y]


@converts("Embed")
def embed(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    rows = write("Cast", bottoms[0], to=onnx.TensorProto.INT64)
    y = write("Gather", write.param(layer.blobs[0]), rows, axis=0)
    return [write("Add", y, write.param(layer.blobs[1])) if len(layer.blobs) > 1 else y]
