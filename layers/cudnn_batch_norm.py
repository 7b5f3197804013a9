"""CuDNNBatchNorm: GENet's name for a batch normalisation that learns its scale and bias."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.bn import BN
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import LayerParameter

LEAST_EPS = 1e-5  # cuDNN's


@register("CuDNNBatchNorm")
class CuDNNBatchNorm(BN):
    """scale (x - mean) / sqrt(variance + eps) + bias, channel by channel (cudnn_batch_norm_param).

    As PSPNet's BN, with these params: scale (scale_filler), bias (bias_filler), and moving averages of the mean and of
    the variance, 1 x C x 1 x 1 each; a filler that is not given fills with 0. eps is 1e-5 at least. Into the moving
    average goes the unbiased variance. Testing, and with `frozen` training too, goes by the averages.
    Source: CuDNNBatchNormLayer of hujie-frank/GENet, which has it on the GPU only; in testing its gradient is that of
    the training before, here BN's.
    """

    reads: tuple[str, ...] = ("bn_param", "cudnn_batch_norm_param")
    origin = "GENet"
    top_count = (1, 1)
    refused = {"bn_param": "CuDNNBatchNorm has cudnn_batch_norm_param"}

    @classmethod
    def create(cls, layer_param: LayerParameter, phase: int, dtype=np.float32) -> CuDNNBatchNorm:
        copy = LayerParameter()
        copy.CopyFrom(layer_param)
        given, param = layer_param.cudnn_batch_norm_param, copy.bn_param
        param.eps, param.momentum, param.frozen = max(given.eps, LEAST_EPS), given.momentum, given.frozen
        param.slope_filler.CopyFrom(given.scale_filler)
        param.bias_filler.CopyFrom(given.bias_filler)
        return cls(copy, phase, dtype)

    def _remember(self, variance: np.ndarray) -> None:
        count = self.view[0] * self.view[2]
        super()._remember(variance * (count / max(count - 1, 1)))
