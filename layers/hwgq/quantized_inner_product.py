"""InnerProducts with weights of two or three values an output."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.hwgq.stochastic_quantization import Quantized, binary, ternary
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.registry import register, register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


class _QuantizedInnerProduct(Quantized, InnerProduct):
    """What both do."""

    reads = ("inner_product_param", "stochastic_quantization_param")
    refused = {
        "inner_product_param.transpose": "its weights are num_output x K: remove it",
        "inner_product_param.normalize": "it is InnerProduct's alone: remove it",
    }

    def _weights(self) -> np.ndarray:
        return self.quantized


@register("TernaryInnerProduct")
class TernaryInnerProduct(_QuantizedInnerProduct):
    """An InnerProduct whose weights have three values an output, as TernaryConvolution's filters have.

    Source: TernaryInnerProductLayer of Stochastic-Quantization (dongyp13), its GPU kernels.
    """

    quantize = staticmethod(ternary)


def has_no_param(layer_param: LayerParameter) -> bool:
    return not layer_param.HasField("binary_inner_product_param")


@register_form("StochasticBinaryInnerProduct", of="BinaryInnerProduct", describes=has_no_param)
class StochasticBinaryInnerProduct(_QuantizedInnerProduct):
    """An InnerProduct by its weights' signs, times the mean absolute weight of each output.

    A layer of type BinaryInnerProduct without binary_inner_product_param is this one; sq and ratio are as in
    TernaryConvolution. Source: BinaryInnerProductLayer of Stochastic-Quantization (dongyp13), its GPU kernels.
    """

    quantize = staticmethod(binary)
