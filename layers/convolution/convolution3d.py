"""C3D's Convolution3D."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.convolution.convolution3d_param import NOT_READ, UNUSED, as_convolution, check_axes
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


@register("Convolution3D")
class Convolution3D(Convolution):
    """Convolution over frames, rows and columns, with one size for rows and columns and one for frames.

    bottom: N x C x L x H x W; top: N x num_output x L' x H' x W', with L' = (L + 2 temporal_pad - kernel_depth) /
    temporal_stride + 1, H' and W' likewise of pad, kernel_size and stride. params: filters num_output x C x
    kernel_depth x kernel_size x kernel_size; bias num_output, unless bias_term is false. filter_group, which saves
    memory there, and group change nothing.

    Raises LayerError for params that do not fit the bottom.
    Source: Convolution3DLayer of C3D (facebookarchive/C3D, both versions).
    """

    reads = ("convolution_param", "convolution3d_param")
    origin = "C3D"
    without_effect = UNUSED
    refused = NOT_READ
    param_axes = (("output", "input", "frame", "row", "column"), ("output",))

    @classmethod
    def create(cls, layer_param: LayerParameter, phase: int, dtype=np.float32) -> Convolution3D:
        return cls(as_convolution(layer_param), phase, dtype)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_axes(self, bottom)
        super().setup(bottom, top)
