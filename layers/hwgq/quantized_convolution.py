"""Convolutions with filters of two or three values."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.hwgq.stochastic_quantization import Quantized, binary, ternary
from caffe_compat.layers.registry import register, register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


class _QuantizedConvolution(Quantized, Convolution):
    """What both do."""

    reads = ("convolution_param", "stochastic_quantization_param")

    def _filters(self) -> np.ndarray:
        return self.quantized


@register("TernaryConvolution")
class TernaryConvolution(_QuantizedConvolution):
    """A Convolution whose filters have three values each: 0 for weights near 0, and one of both signs.

    Near are those below 0.7 of the mean distance from the mean of all weights; the value is the mean absolute one of
    the filter's others. With stochastic_quantization_param's sq (convolution_param has it in the text) only `ratio`
    per cent of the filters are so, and the others their weights, which are drawn in each forward by how much they
    would change. The weights get the gradient of the filters, as if these were they. All else is as in Convolution.
    Source: TernaryConvolutionLayer of Stochastic-Quantization (dongyp13), its GPU kernels; Li and Liu, Ternary Weight
    Networks (2016); Dong et al., Learning Accurate Low-Bit Deep Neural Networks with Stochastic Quantization (2017).
    """

    quantize = staticmethod(ternary)


def has_no_param(layer_param: LayerParameter) -> bool:
    return not layer_param.HasField("binary_convolution_param")


@register_form("StochasticBinaryConvolution", of="BinaryConvolution", describes=has_no_param)
class StochasticBinaryConvolution(_QuantizedConvolution):
    """A Convolution whose filters are their weights' signs, times their mean absolute weight.

    A layer of type BinaryConvolution without binary_convolution_param is this one. sq and ratio are as in
    TernaryConvolution, and so is all else. Source: BinaryConvolutionLayer of Stochastic-Quantization (dongyp13), its
    GPU kernels; Rastegari et al., XNOR-Net (2016).
    """

    quantize = staticmethod(binary)
