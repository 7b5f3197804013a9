"""C3D's convolution3d_param, which has one size for rows and columns, and one for frames."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.prototxt.caffe_pb2 import LayerParameter

UNUSED = ("convolution3d_param.group", "convolution3d_param.filter_group")
NOT_READ = {"convolution_param": "write it as convolution3d_param { ... }"}


def as_convolution(layer_param: LayerParameter) -> LayerParameter:
    """A copy whose convolution_param says what its convolution3d_param says."""
    result = LayerParameter()
    result.CopyFrom(layer_param)
    given, param = layer_param.convolution3d_param, result.convolution_param
    param.num_output, param.bias_term = given.num_output, given.bias_term
    param.kernel_size.extend([given.kernel_depth, given.kernel_size, given.kernel_size])
    param.stride.extend([given.temporal_stride, given.stride, given.stride])
    param.pad.extend([given.temporal_pad, given.pad, given.pad])
    param.weight_filler.CopyFrom(given.weight_filler)
    param.bias_filler.CopyFrom(given.bias_filler)
    return result


def check_axes(layer: Layer, bottom: Sequence[Blob]) -> None:
    """Raise LayerError unless the bottoms are N x C x L x H x W."""
    for blob in bottom:
        if len(blob.shape) != 5:
            example = f", such as {(*blob.shape[:2], 16, *blob.shape[2:])}" if len(blob.shape) == 4 else ""
            raise layer.error(f"the bottom has the shape {blob.shape}, expected N x C x L x H x W{example}")
