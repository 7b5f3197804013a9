"""BinaryInnerProduct."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.hwgq.signs import signs
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.registry import register


@register("BinaryInnerProduct")
class BinaryInnerProduct(InnerProduct):
    """An InnerProduct by its weights' signs, with use_alpha times the mean absolute weight of each output.

    Without binary_inner_product_param it is a StochasticBinaryInnerProduct. Of that message, use_binarization: false
    makes it an InnerProduct. The weights get the gradient of their signs, as if these were they. Without transpose;
    all else is as in InnerProduct.
    Source: BinaryInnerProductLayer of zhaoweicai/hwgq.
    """

    reads = ("inner_product_param", "binary_inner_product_param")
    origin = "HWGQ-Net"
    refused = {
        "inner_product_param.transpose": "its weights are num_output x K: remove it",
        "inner_product_param.normalize": "it is InnerProduct's alone: remove it",
    }

    def _weights(self) -> np.ndarray:
        param = self.layer_param.binary_inner_product_param
        return signs(self.blobs[0].data, param.use_alpha) if param.use_binarization else super()._weights()
