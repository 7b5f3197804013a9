"""LargeMarginInnerProduct: the large-margin softmax."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.kernels.blas import gemm
from caffe_compat.layers.metric.margin_product import SINGLE, MarginProduct
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import LargeMarginInnerProductParameter


@register("LargeMarginInnerProduct")
class LargeMarginInnerProduct(MarginProduct):
    """The product; the own score mixed with |x| |w| times the margin's cosine.

    Blobs as in MarginProduct. Raises LayerError for num_output 0, other shapes, and labels that are no class.
    Source: LargeMarginInnerProductLayer of wy1iu's LargeMargin_Softmax_Loss; Liu et al. (2016) of that name.
    """

    reads = ("largemargin_inner_product_param",)
    origin = "L-Softmax"

    def param(self) -> LargeMarginInnerProductParameter:
        return self.layer_param.largemargin_inner_product_param

    def find_angles(self, x: np.ndarray, scores: np.ndarray) -> None:
        own = self.blobs[0].data[self.own[1]]
        self.x_norm, self.w_norm = (np.sqrt(np.einsum("mk,mk->m", rows, rows)) for rows in (x, own))
        self.size = self.x_norm * self.w_norm + x.dtype.type(1e-9)
        self.multiply(scores / self.size)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        weights, margin = self.blobs[0], self.param().type != SINGLE
        x, diff = self.rows(bottom[0].data), top[0].diff.reshape(-1, len(weights.data))
        if margin:
            share = (diff[self.own] / (1 + self.weight))[:, None]
            ratio = (self.x_norm / (self.w_norm + x.dtype.type(1e-9)) * self.rest)[:, None]
        if self.propagates_to(0):
            total, add = weights.diff_to_add()
            gemm(diff, x, total, trans_a=True, beta=add)
            if margin:
                own = weights.data[self.own[1]]
                np.add.at(total, self.own[1], share * ((self.slope - 1)[:, None] * x - ratio * own))
        if propagate_down[0]:
            x_diff = self.rows(bottom[0].diff)
            gemm(diff, weights.data, x_diff)
            if margin:
                with np.errstate(divide="ignore", invalid="ignore"):
                    of_x = self.rest * (self.w_norm + x.dtype.type(1e-9)) / self.x_norm
                x_diff += share * ((self.slope - 1)[:, None] * weights.data[self.own[1]] - of_x[:, None] * x)
