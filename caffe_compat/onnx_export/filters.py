"""Layers of windows or learned weights: Convolution, Deconvolution, Im2col, InnerProduct, Embed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry, read_geometry
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.convolution.padded_convolution import PaddedConvolution
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators


@converts("Convolution", "Convolution3D", "ConvolutionDepthwise", "DepthwiseConvolution")
def convolution(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return filtered("Conv", write, layer, bottoms, write.param(layer.blobs[0]))


@converts("Deconvolution", "Deconvolution3D")
def deconvolution(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return filtered("ConvTranspose", write, layer, bottoms, write.param(layer.blobs[0]))


@converts("PaddedConvolution")
def padded_convolution(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, PaddedConvolution)
    padded = write("Pad", bottoms[0], write.ints([0, 0, *layer.before, 0, 0, *layer.behind]))
    write.axes[padded] = 4
    return convolution(write, layer.plain, [padded])


def filtered(
    type: str,
    write: Operators,
    layer: Layer,
    bottoms: list[str],
    filters: str,
    biases: list[str] | None = None,
) -> list[str]:
    """One operator a bottom; ONNX keeps filters and biases in Caffe's order. biases: others than the layer's own."""
    assert isinstance(layer, Convolution)
    axes = len(layer.blobs[0].shape) - 2
    if axes < 1:
        raise layer.error("cannot be exported to ONNX without an axis behind the channels")
    attributes = attributes_of(read_geometry(layer, axes)) | {"group": layer.group}
    params = filters, *(map(write.param, layer.blobs[1:]) if biases is None else biases)
    return [
        _on_axis_1(write, bottom, axes, lambda x: write(type, x, *params, **attributes)) for bottom in bottoms
    ]


def _on_axis_1(write: Operators, x: str, axes: int, make: Callable[[str], str]) -> str:
    """What is made of x, whose channels have so many axes behind them; all that are before are images."""
    axis = write.axes[x] - axes - 1
    if axis == 1:
        return make(x)
    images = write("Concat", write.ints([-1]), write.dims(x, axis, axis + 1 + axes), axis=0)
    y = make(write("Reshape", x, images))
    return write("Reshape", y, write("Concat", write.dims(x, 0, axis), write.dims(y, 1, 2 + axes), axis=0))


def attributes_of(windows: ConvGeometry) -> dict[str, Any]:
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
    return write("Conv", maps, write.floats(pixels), **attributes_of(windows))


@converts("InnerProduct")
def inner_product(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [product(write, layer, bottoms[0], layer.blobs[0].data, layer.blobs[0])]


def product(
    write: Operators,
    layer: Layer,
    x: str,
    weights: np.ndarray,
    shared: Blob | None = None,
    shifts: list[np.ndarray] | None = None,
) -> str:
    """shared: the blob that the weights are, if they are one. shifts: another bias than the layer's own, or none."""
    param, axes = layer.layer_param.inner_product_param, write.axes[x]
    axis = param.axis % axes
    if axis <= 1:
        rows = x if (axis, axes) == (1, 2) else write("Flatten", x, axis=axis)
        bias = map(write.param, layer.blobs[1:]) if shifts is None else map(write.floats, shifts)
        y = write(
            "Gemm",
            rows,
            write.param(shared) if shared else write.floats(weights),
            *bias,
            transB=int(not param.transpose),
        )
        return y if axis else write.reshape(y, param.num_output)
    matrix = weights if param.transpose else weights.T
    y = write("MatMul", write.reshape(x, *[0] * axis, len(matrix)), write.floats(matrix))
    rest = [blob.data for blob in layer.blobs[1:]] if shifts is None else shifts
    return write("Add", y, write.floats(rest[0])) if rest else y


@converts("Embed")
def embed(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    rows = write("Cast", bottoms[0], to=onnx.TensorProto.INT64)
    y = write("Gather", write.param(layer.blobs[0]), rows, axis=0)
    return [write("Add", y, write.param(layer.blobs[1])) if len(layer.blobs) > 1 else y]
