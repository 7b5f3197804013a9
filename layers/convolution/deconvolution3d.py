"""C3D's Deconvolution3D."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.convolution.convolution3d_param import NOT_READ, UNUSED, as_convolution, check_axes
from caffe_compat.layers.convolution.deconvolution import Deconvolution
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


@register("Deconvolution3D")
class Deconvolution3D(Deconvolution):
    """The gradient that a Convolution3D gives its bottom, plus a bias: for upsampling videos.

    bottom: N x C x L x H x W; top: N x num_output x L' x H' x W', with L' = temporal_stride (L - 1) + kernel_depth -
    2 temporal_pad, H' and W' likewise of stride, kernel_size and pad. params: filters C x num_output x kernel_depth x
    kernel_size x kernel_size; bias num_output, unless bias_term is false.

    Raises LayerError for params that do not fit the bottom.
    Source: Deconvolution3DLayer of C3D (facebookarchive/C3D, both versions; the later one reads bias_term elsewhere,
    and always has a bias).
    """

    reads = ("convolution_param", "convolution3d_param")
    origin = "C3D"
    without_effect = UNUSED
    refused = NOT_READ
    param_axes = (("input", "output", "frame", "row", "column"), ("output",))

    @classmethod
    def create(cls, layer_param: LayerParameter, phase: int, dtype=np.float32) -> Deconvolution3D:
        return cls(as_convolution(layer_param), phase, dtype)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_axes(self, bottom)
        super().setup(bottom, top)
