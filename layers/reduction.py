"""Reduction."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import ReductionParameter


@register("Reduction")
class Reduction(Layer):
    """coeff times the SUM, ASUM (of absolute values), SUMSQ (of squares) or MEAN of all from an axis on.

    bottom: any shape. top: the axes before reduction_param.axis. Raises LayerError for an axis out of range.
    Source: Caffe's ReductionLayer.
    """

    reads = ("reduction_param",)
    refused = {"reduction_param.k": "it is for operation TOPK of type BatchReduction"}

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.operation = self.layer_param.reduction_param.operation
        if self.operation == ReductionParameter.TOPK:
            raise self.error("operation TOPK is for type BatchReduction")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.reduction_param
        axis = canonical_axis(self, param.axis, bottom[0])
        top[0].reshape(*bottom[0].shape[:axis])
        self.view = top[0].count, math.prod(bottom[0].shape[axis:])
        mean = self.operation == ReductionParameter.MEAN
        if mean and self.view[1] == 0:
            raise self.error(f"there is no mean of a bottom of shape {bottom[0].shape} from axis {axis} on")
        self.coeff = bottom[0].dtype.type(param.coeff / self.view[1] if mean else param.coeff)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].data.reshape(self.view), top[0].data.reshape(-1)
        if self.operation == ReductionParameter.SUMSQ:
            np.einsum("ij,ij->i", x, x, out=y)
        else:
            np.sum(np.abs(x) if self.operation == ReductionParameter.ASUM else x, axis=1, out=y)
        y *= self.coeff

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x, x_diff = bottom[0].data.reshape(self.view), bottom[0].diff.reshape(self.view)
        slope = self.coeff * top[0].diff.reshape(-1, 1)
        if self.operation == ReductionParameter.SUMSQ:
            np.multiply(x, 2 * slope, out=x_diff)
        elif self.operation == ReductionParameter.ASUM:
            np.sign(x, out=x_diff)
            x_diff *= slope
        else:
            x_diff[...] = slope
