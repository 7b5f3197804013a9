"""Where the largest elements are, and how large."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, around_axis, canonical_axis
from caffe_compat.layers.kernels.arg_max import largest
from caffe_compat.layers.registry import register


@register("ArgMax")
class ArgMax(Layer):
    """The indices of the top_k (1) largest elements, the largest first; of equal elements, the last first.

    bottom: N x ...; top without `axis`: N x 1 x top_k (x 1 ...), the indices in each flat item; with out_max_val
    N x 2 x top_k: the indices, then the elements. With argmax_param.axis: the bottom's shape with top_k along this
    axis, the indices or, with out_max_val, the elements. Where there is NaN, the order is not defined. Raises
    LayerError where there are fewer than top_k elements.

    Source: Caffe's ArgMaxLayer.
    """

    reads = ("argmax_param",)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.layer_param.argmax_param.top_k < 1:
            raise self.error("top_k is 0; it must be at least 1")
        self._indices, self._values = Blob((), self.dtype), Blob((), self.dtype)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.argmax_param, bottom[0].shape
        if param.HasField("axis"):
            axis = canonical_axis(self, param.axis, bottom[0])
            self._around = around_axis(shape, axis)
            top_shape = [*shape[:axis], param.top_k, *shape[axis + 1 :]]
        else:
            if not shape:
                raise self.error("the bottom has no axes, expected N x ...")
            self._around = shape[0], math.prod(shape[1:]), 1
            top_shape = [shape[0], 1 + param.out_max_val, param.top_k, *[1] * (len(shape) - 3)]
        if param.top_k > self._around[1]:
            raise self.error(
                f"top_k is {param.top_k}, but a bottom of shape {shape} has {self._around[1]} elements to choose from"
            )
        top[0].reshape(*top_shape)
        outer, _, inner = self._around
        self._indices.reshape(outer, param.top_k, inner)
        self._values.reshape(outer, param.top_k, inner)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, indices, values = self.layer_param.argmax_param, self._indices.data, self._values.data
        largest(bottom[0].data.reshape(self._around), indices, values)
        if param.HasField("axis"):
            np.copyto(top[0].data.reshape(indices.shape), values if param.out_max_val else indices)
            return
        parts = top[0].data.reshape(len(indices), 1 + param.out_max_val, param.top_k)
        parts[:, 0] = indices[:, :, 0]
        if param.out_max_val:
            parts[:, 1] = values[:, :, 0]
