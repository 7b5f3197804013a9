"""Eltwise of one bottom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import EltwiseParameter, LayerParameter


def scales(layer_param: LayerParameter) -> bool:
    """Whether a layer of type Eltwise is FlowNet2's way to scale its only bottom."""
    param = layer_param.eltwise_param
    return len(layer_param.bottom) == 1 and param.operation == EltwiseParameter.SUM and len(param.coeff) == 1


@register_form("FlowEltwise", of="Eltwise", describes=scales)
class FlowEltwise(Layer):
    """eltwise_param.coeff times the bottom; any shape.

    A layer of type Eltwise with one bottom and one coeff is this one. Raises LayerError for other numbers of coeff.
    Source: EltwiseLayer of lmb-freiburg/flownet2, which takes one bottom, too.
    """

    reads = ("eltwise_param",)
    without_effect = ("eltwise_param.operation", "eltwise_param.stable_prod_grad")
    refused = {"eltwise_param.coeff_blob": "it is for several bottoms; remove it"}
    origin = "FlowNet2"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        coeffs = self.layer_param.eltwise_param.coeff
        if len(coeffs) != 1:
            raise self.error(f"{len(coeffs)} coeffs for one bottom; give one")
        self.coeff = self.dtype(coeffs[0])

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.multiply(bottom[0].data, self.coeff, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(top[0].diff, self.coeff, out=bottom[0].diff)
