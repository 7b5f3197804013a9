"""BinaryConvolution."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.hwgq.signs import signs
from caffe_compat.layers.registry import register


@register("BinaryConvolution")
class BinaryConvolution(Convolution):
    """A Convolution whose filters are their weights' signs, with use_alpha times the mean absolute weight of each.

    Of binary_convolution_param, use_binarization: false makes it a Convolution. The weights get the gradient of the
    filters, as if these were they. Without binary_convolution_param it is a StochasticBinaryConvolution. All else is
    as in Convolution.
    Source: BinaryConvolutionLayer of zhaoweicai/hwgq; Cai et al., Deep Learning with Low Precision by Half-wave
    Gaussian Quantization (2017).
    """

    reads = ("convolution_param", "binary_convolution_param")
    origin = "HWGQ-Net"

    def _filters(self) -> np.ndarray:
        param = self.layer_param.binary_convolution_param
        return signs(self.blobs[0].data, param.use_alpha) if param.use_binarization else super()._filters()
