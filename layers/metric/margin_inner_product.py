"""MarginInnerProduct: SphereFace's angular softmax."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.kernels.blas import gemm
from caffe_compat.layers.metric.margin_product import SINGLE, MarginProduct
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import MarginInnerProductParameter


@register("MarginInnerProduct")
class MarginInnerProduct(MarginProduct):
    """The product with rows of params of length 1; the own score mixed with |x| times the margin's cosine.

    Blobs as in MarginProduct. Forward makes the rows of params[0] of length 1, in place. The gradient is not the true
    one: of params[0] it is that of the plain product; of bottom[0] the part of the margin has the factors of x and of
    the params divided by the root of the sum of their squares.
    Raises LayerError for num_output 0, other shapes, and labels that are no class.
    Source: MarginInnerProductLayer of wy1iu's sphereface; Liu et al., SphereFace (2017).
    """

    reads = ("margin_inner_product_param",)
    origin = "sphereface"
    changes_params = True

    def param(self) -> MarginInnerProductParameter:
        return self.layer_param.margin_inner_product_param

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        weights = self.blobs[0].data
        with np.errstate(divide="ignore", invalid="ignore"):
            weights *= 1 / np.sqrt(np.einsum("nk,nk->n", weights, weights))[:, None]
        super().forward(bottom, top)

    def find_angles(self, x: np.ndarray, scores: np.ndarray) -> None:
        self.size = np.sqrt(np.einsum("mk,mk->m", x, x))
        with np.errstate(divide="ignore", invalid="ignore"):
            self.multiply(scores / self.size)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        weights = self.blobs[0]
        x, diff = self.rows(bottom[0].data), top[0].diff.reshape(-1, len(weights.data))
        if self.propagates_to(0):
            total, add = weights.diff_to_add()
            gemm(diff, x, total, trans_a=True, beta=add)
        if propagate_down[0]:
            x_diff = self.rows(bottom[0].diff)
            gemm(diff, weights.data, x_diff)
            if self.param().type != SINGLE:
                self._add_margin(x, diff[self.own], x_diff)

    def _add_margin(self, x: np.ndarray, diff: np.ndarray, x_diff: np.ndarray) -> None:
        with np.errstate(divide="ignore", invalid="ignore"):
            of_x = -self.rest / self.size
            length = np.hypot(self.slope, of_x)
            of_weights, of_x = self.slope / length, of_x / length
        share = (diff / (1 + self.weight))[:, None]
        own = self.blobs[0].data[self.own[1]]
        x_diff += share * ((of_weights - 1)[:, None] * own + of_x[:, None] * x)
