"""Mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.binaryproto import read_binaryproto
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import MeanParameter


@register("Mean")
class Mean(Layer):
    """Adds or subtracts a mean (mean_param): output_scale (input_scale x + mean_scale mean), or - the mean.

    bottoms: N x C x H x W; as many tops, of their shapes. The mean: the numbers `value`, the first for the first
    channel and so on, and from the start again; or those of the binaryproto `file`, of the bottoms' height and width,
    again over channels. Forward only. Raises LayerError where the channels are no multiple of these, and for a file
    that does not fit. Source: MeanLayer of lmb-freiburg/flownet2.
    """

    reads = ("mean_param",)
    bottom_count = (1, None)
    top_count = (1, None)
    equal_bottom_top = True
    has_backward = False
    origin = "FlowNet2"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.mean_param
        if param.HasField("file"):
            mean = read_binaryproto(self, param.file)
            self.mean = mean.reshape((1,) * (4 - mean.ndim) + mean.shape)[0] if mean.ndim <= 4 else mean
        else:
            self.mean = np.array(param.value, np.float32).reshape(-1, 1, 1)
        if self.mean.ndim != 3 or not self.mean.size:
            raise self.error("there is no mean of up to C x H x W; give value, or a file with one")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        channels, *size = self.mean.shape
        by_pixel = self.layer_param.mean_param.HasField("file")
        for blob, out in zip(bottom, top, strict=True):
            fits = len(blob.shape) == 4 and (not by_pixel or list(blob.shape[2:]) == size)
            if not fits or blob.shape[1] % channels:
                raise self.error(
                    f"the mean has the shape {self.mean.shape}, which does not fit to a bottom of {blob.shape}"
                )
            out.reshape(*blob.shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.mean_param
        sign = -1 if param.operation == MeanParameter.SUBTRACT else 1
        for blob, out in zip(bottom, top, strict=True):
            mean = np.tile(self.mean, (blob.shape[1] // len(self.mean), 1, 1)) * sign
            values = param.input_scale * blob.data + param.mean_scale * mean
            out.data[...] = param.output_scale * values
