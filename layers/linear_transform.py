"""LinearTransform."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


@register("LinearTransform")
class LinearTransform(Layer):
    """An InnerProduct without bias, by linear_transform_param; backprop: false gives the bottom a gradient of 0.

    The original leaves what was in the bottom's gradient there. Source: LinearTransformLayer of Qi-Xian's DeViSE;
    Frome et al., DeViSE (2013).
    """

    reads = ("linear_transform_param",)
    origin = "Qi-Xian"
    param_axes = (("output", "input"),)
    without_effect = ("linear_transform_param.verbose",)  # it logs

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        given, param = self.layer_param.linear_transform_param, LayerParameter(name=self.name, type=self.type)
        product = param.inner_product_param
        product.bias_term, product.axis = False, given.axis
        if given.HasField("num_output"):
            product.num_output = given.num_output
        product.weight_filler.CopyFrom(given.weight_filler)
        self.product = InnerProduct(param, self.phase, self.dtype)
        self.product.blobs = self.blobs
        self.product.setup(bottom, top)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.product.reshape(bottom, top)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.product.forward(bottom, top)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        goes_down = self.layer_param.linear_transform_param.backprop
        self.product.param_propagate_down = self.param_propagate_down
        self.product.backward(top, [propagate_down[0] and goes_down], bottom)
        if propagate_down[0] and not goes_down:
            bottom[0].diff.fill(0)
