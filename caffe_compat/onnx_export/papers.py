"""Layers of single papers."""

from __future__ import annotations

from caffe_compat.layers.base import Layer
from caffe_compat.layers.division import Division
from caffe_compat.layers.eliwise_product import EliwiseProduct
from caffe_compat.layers.linear_transform import LinearTransform
from caffe_compat.layers.scale_tanh import ScaleTanH
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.filters import inner_product
from caffe_compat.onnx_export.metric import squares
from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import Operators


@converts("LinearTransform")
def linear_transform(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, LinearTransform)
    return inner_product(write, layer.product, bottoms)


@converts("EliwiseProduct")
def eliwise_product(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, EliwiseProduct)
    y = affine(write, bottoms[0], scale=float(layer.blobs[0].data[0]))
    return [write.reshape(y, *[0] * layer.axis, -1)]


@converts("ScaleTanH")
def scale_tanh(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, ScaleTanH)
    return [write("Tanh", affine(write, bottoms[0], layer.scale))]


@converts("Division")
def division(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Division)
    tops = []
    for tile in layer.tiles:
        starts, ends = zip(*((part.start, part.stop) for part in tile[2:]), strict=True)
        tops.append(write("Slice", *bottoms, write.ints(starts), write.ints(ends), write.ints([2, 3])))
    return tops


@converts("L2Norm")
def l2_norm(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    norm = write("Sqrt", squares(write, bottoms[0], range(1, write.axes[bottoms[0]])))
    return [write("Div", *bottoms, affine(write, norm, shift=layer.layer_param.l2norm_param.eps))]


@converts("Intranorm")
def intranorm(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    parts = write.reshape(bottoms[0], 0, layer.layer_param.intranorm_param.cluster_num, -1)
    norms = write("Sqrt", affine(write, squares(write, parts, [2]), shift=1e-12))
    return [write("Reshape", write("Div", parts, norms), write("Shape", *bottoms))]


@converts("GradientSilent")
def gradient_silent(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return bottoms[:1]
