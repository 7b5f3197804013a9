"""EliwiseProduct: a product with one learned number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.registry import register


@register("EliwiseProduct")
class EliwiseProduct(Layer):
    """The bottom times one number that is learned; top: the bottom's axes, those from `axis` on made one.

    param: the number. Its gradient adds up, of each row from `axis` on, absolute values of diff times bottom where the
    true one adds the products, as there; a second number, with bias_term, is never added, nor learned. A bottom has as
    many elements from `axis` on as the first one. Raises LayerError where it has not.
    Source: EliwiseProductLayer of simplified-SIM (Lucas2012).
    """

    reads = ("eliwise_product_param",)
    origin = "Lucas2012"
    param_axes = (("",), ())

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.eliwise_product_param
        self.axis = canonical_axis(self, param.axis, bottom[0])
        self.elements = math.prod(bottom[0].shape[self.axis :])
        bias = [((1,), param.bias_filler)] if param.bias_term else []
        set_up_params(self, ((1,), param.weight_filler), *bias)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) <= self.axis or math.prod(shape[self.axis :]) != self.elements:
            raise self.error(
                f"the bottom has the shape {shape}; expected {self.elements} elements from axis {self.axis} on"
            )
        self.view = math.prod(shape[: self.axis]), self.elements
        top[0].reshape(*shape[: self.axis], self.elements)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.multiply(
            bottom[0].data.reshape(self.view), self.blobs[0].data[0], out=top[0].data.reshape(self.view)
        )

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        diff = top[0].diff.reshape(self.view)
        if self.propagates_to(0):
            self.blobs[0].diff[...] += np.abs(diff * bottom[0].data.reshape(self.view)).sum()
        if propagate_down[0]:
            np.multiply(diff, self.blobs[0].data[0], out=bottom[0].diff.reshape(self.view))
