"""Layers that normalise: LRN, BN, BatchNorm, MVN, Normalize, Softmax."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.batch_norm import BatchNorm
from caffe_compat.layers.bn import BN
from caffe_compat.layers.group_norm import GroupNorm
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.prototxt.caffe_pb2 import LRNParameter


@converts("Softmax")
def softmax(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    axis = layer.layer_param.softmax_param.axis % write.axes[bottoms[0]]
    return [write("Softmax", *bottoms, axis=axis)]


@converts("LRN")
def lrn(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    """ONNX's divides alpha by size too. Within a channel the mean takes the place of a sum divided by n."""
    param, x = layer.layer_param.lrn_param, bottoms[0]
    size, alpha, beta = param.local_size, param.alpha, param.beta
    if param.norm_region == LRNParameter.ACROSS_CHANNELS:
        return [write("LRN", x, size=size, alpha=alpha, beta=beta, bias=param.k)]
    pad = [(size - 1) // 2] * 2
    squares = write("Pad", write("Mul", x, x), write.ints([0, 0, *pad] * 2))
    mean = write("AveragePool", squares, kernel_shape=[size, size])
    return [write("Mul", x, write("Pow", affine(write, mean, alpha, 1), write.floats(-beta)))]


@converts("BatchNorm")
def batch_norm(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, BatchNorm)
    x, axes = bottoms[0], write.axes[bottoms[0]]
    if axes < 2:
        raise layer.error("cannot be exported to ONNX for a bottom without channels")
    if not layer.use_global_stats:
        centred, square = _moments(write, x, [0, *range(2, axes)])
        y = write("Div", centred, write("Sqrt", affine(write, square, shift=layer.eps)))
        if not layer.has_scale_bias:
            return [y]
        learned = (values.reshape(-1, *[1] * (axes - 2)) for values in layer.scale_and_bias())
        factor, term = map(write.floats, learned)
        return [write("Add", write("Mul", y, factor), term)]
    mean, variance, weight = (layer.blobs[i].data for i in range(3))
    share = 1 / weight[0] if weight[0] else 0
    own = layer.scale_and_bias() if layer.has_scale_bias else (np.ones_like(mean), np.zeros_like(mean))
    values = *own, mean * share, variance * share
    return [write("BatchNormalization", x, *map(write.floats, values), epsilon=layer.eps)]


@converts("BN", "CuDNNBatchNorm")
def bn(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, BN)
    x, axes = bottoms[0], write.axes[bottoms[0]]
    if axes < 2:
        raise layer.error("cannot be exported to ONNX for a bottom without channels")
    if len(layer.layer_param.top) > 1:
        raise layer.error("cannot be exported to ONNX with tops for mean and variance; remove them")
    scale, shift = layer.scale_and_shift()
    if layer.use_averages:
        averages = [blob.data.reshape(-1) for blob in layer.blobs[2:]]
        params = map(write.floats, (scale, shift, *averages))
        return [write("BatchNormalization", x, *params, epsilon=layer.eps)]
    if not layer.only_affine:
        centred, square = _moments(write, x, [0, *range(2, axes)])
        x = write("Div", centred, write("Sqrt", affine(write, square, shift=layer.eps)))
    factor, term = (write.floats(values.reshape(-1, *[1] * (axes - 2))) for values in (scale, shift))
    return [write("Add", write("Mul", x, factor), term)]


@converts("MVN")
def mvn(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, x, axes = layer.layer_param.mvn_param, bottoms[0], write.axes[bottoms[0]]
    if axes < 4:
        x = write("Unsqueeze", x, write.ints(list(range(axes, 4))))
    centred, variance = _moments(write, x, [1, 2, 3] if param.across_channels else [2, 3])
    if not param.normalize_variance:
        return [centred]
    return [write("Div", centred, affine(write, write("Sqrt", variance), shift=param.eps))]


def _moments(write: Operators, x: str, axes: list[int]) -> tuple[str, str]:
    """x less its mean over the axes, and the variance over them."""
    centred = write("Sub", x, _mean(write, x, axes))
    return centred, _mean(write, write("Mul", centred, centred), axes)


def _mean(write: Operators, x: str, axes: list[int]) -> str:
    """Over the first axis by itself: OpenCV 5.0 is wrong over axes that are not neighbours."""
    for part in ([axis for axis in axes if axis], [axis for axis in axes if not axis]):
        x = write("ReduceMean", x, axes=part, keepdims=1) if part else x
    return x


@converts("GroupNorm")
def group_norm(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, GroupNorm)
    (x,), axes = bottoms, write.axes[bottoms[0]]
    centred, variance = _moments(write, write.reshape(x, 0, layer.groups, -1), [2])
    eps = layer.layer_param.group_norm_param.eps
    y = write("Div", centred, write("Sqrt", affine(write, variance, shift=eps)))
    y = write("Reshape", y, write("Shape", x))
    for operator, blob in zip(("Mul", "Add"), layer.blobs, strict=False):
        y = write(operator, y, write.floats(blob.data.reshape(-1, *[1] * (axes - 2))))
    return [y]


@converts("Normalize")
def normalize(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, x, axes = layer.layer_param.norm_param, bottoms[0], write.axes[bottoms[0]]
    over = list(range(1, axes)) if param.across_spatial else [1]
    squares = write("ReduceSum", write("Mul", x, x), write.ints(over), keepdims=1)
    unit = write("Div", x, write("Sqrt", affine(write, squares, shift=param.eps)))
    scale = layer.blobs[0].data
    return [write("Mul", unit, write.floats(scale.reshape(-1, *[1] * (axes - 2)) if scale.shape else scale))]
