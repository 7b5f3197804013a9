"""InnerProduct."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.common.learnable import ShapeAndFiller, count_of, set_up_params
from caffe_compat.layers.kernels.bias import fill_columns
from caffe_compat.layers.kernels.blas import gemm
from caffe_compat.layers.registry import register


@register("InnerProduct")
class InnerProduct(Layer):
    """top = bottom W^T + bias: a fully connected layer.

    bottom: any shape; the axes from `axis` on are taken as one, of K elements. top: the axes before `axis`,
    then num_output. params: W num_output x K (with transpose: K x num_output); bias num_output, unless
    bias_term is false. Raises LayerError when K changes or does not fit W.

    multiply_bottom, multiply_diff: what computes products of the bottom, and of the top's diff, as `gemm` does; an
    engine may know that most of their numbers are 0.

    Source: Caffe's InnerProductLayer.
    """

    reads: tuple[str, ...] | None = ("inner_product_param",)
    multiply_bottom = multiply_diff = staticmethod(gemm)
    param_axes = (("output", "input"), ("output",))

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.inner_product_param
        self._num_output, self._transpose = count_of(self, param), param.transpose
        self._inputs = math.prod(bottom[0].shape[canonical_axis(self, param.axis, bottom[0]) :])
        shape = self._num_output, self._inputs
        params: list[ShapeAndFiller] = [(shape[::-1] if self._transpose else shape, param.weight_filler)]
        if param.bias_term:
            params.append(((self._num_output,), param.bias_filler))
        if self._transpose:
            self.param_axes = (("input", "output"), ("output",))
        set_up_params(self, *params)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        axis = canonical_axis(self, self.layer_param.inner_product_param.axis, bottom[0])
        inputs = math.prod(shape[axis:])
        if inputs != self._inputs:
            raise self.error(
                f"a bottom of shape {shape} has {inputs} elements from axis {axis} on; "
                f"the weights take {self._inputs}"
            )
        top[0].reshape(*shape[:axis], self._num_output)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = self._rows(self._numbers(bottom[0])), self._tops(top[0].data)
        bias = self._bias()
        if bias is not None:
            fill_columns(bias, y)
        beta = 0 if bias is None else 1
        self.multiply_bottom(x, self._weights(), y, trans_b=not self._transpose, beta=beta)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        x, diff = self._rows(self._numbers(bottom[0])), self._tops(top[0].diff)
        weights = self.blobs[0]
        if self.propagates_to(0):
            total, add = weights.diff_to_add()
            if self._transpose:
                self.multiply_bottom(x, diff, total, trans_a=True, beta=add)
            else:
                self.multiply_diff(diff, x, total, trans_a=True, beta=add)
        if len(self.blobs) > 1 and self.propagates_to(1):
            self.blobs[1].diff[...] += diff.sum(axis=0)
        if propagate_down[0]:
            self.multiply_diff(diff, self._weights(), self._rows(bottom[0].diff), trans_b=self._transpose)

    def _weights(self) -> np.ndarray:
        """Those that the bottom is multiplied by."""
        return self.blobs[0].data

    def _bias(self) -> np.ndarray | None:
        """That which is added; None where there is none."""
        return self.blobs[1].data if len(self.blobs) > 1 else None

    def _numbers(self, bottom: Blob) -> np.ndarray:
        """Those of the bottom that are multiplied by the weights."""
        return bottom.data

    def _rows(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(-1, self._inputs)

    def _tops(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(-1, self._num_output)
