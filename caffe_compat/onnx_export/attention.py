"""AttPooling and PixelConv: products with the pixels around each pixel."""

from __future__ import annotations

from caffe_compat.layers.attention.att_pooling import AttPooling
from caffe_compat.layers.attention.pixel_conv import PixelConv
from caffe_compat.layers.attention.taps import Square
from caffe_compat.layers.base import Layer
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.filters import columns_of
from caffe_compat.onnx_export.operators import Operators


@converts("AttPooling")
def att_pooling(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, AttPooling)
    x, weights = bottoms
    pixels = _pixels(write, x, layer.window)
    if not layer.is_global:
        return [_sum_of_products(write, pixels, write("Unsqueeze", weights, write.ints([1])))]
    product = write("MatMul", write.reshape(pixels, 0, 0, -1), write.reshape(weights, 0, 0, -1))
    shape = write("Concat", write.ints([0, 0]), write.dims(weights, 2, 4), axis=0)
    return [write("Reshape", product, shape)]


@converts("PixelConv")
def pixel_conv(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, PixelConv)
    filters, x = bottoms
    shape = write(
        "Concat", write.dims(x, 0, 2), write.ints([layer.window.kernel**2]), write.dims(x, 2, 4), axis=0
    )
    return [_sum_of_products(write, _pixels(write, x, layer.window), write("Reshape", filters, shape))]


def _pixels(write: Operators, x: str, window: Square) -> str:
    """N x C x k k x H' x W'."""
    sizes = ((size, size) for size in (window.kernel, window.stride, window.pad, window.dilation))
    columns = columns_of(write, x, 1, ConvGeometry(*sizes))
    shape = write(
        "Concat", write.dims(x, 0, 2), write.ints([window.kernel**2]), write.dims(columns, 2, 4), axis=0
    )
    return write("Reshape", columns, shape)


def _sum_of_products(write: Operators, pixels: str, weights: str) -> str:
    return write("ReduceSum", write("Mul", pixels, weights), write.ints([2]), keepdims=0)
