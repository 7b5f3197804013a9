"""RNN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.learnable import ShapeAndFiller
from caffe_compat.layers.kernels.bias import fill_columns
from caffe_compat.layers.kernels.blas import gemm
from caffe_compat.layers.kernels.neuron import tanh_backward
from caffe_compat.layers.kernels.scratch import scratch
from caffe_compat.layers.recurrent.recurrent import Recurrent
from caffe_compat.layers.registry import register


@register("RNN")
class RNN(Recurrent):
    """A simple recurrent net: h_t = tanh(z_t), and top[0] is tanh(W_ho h_t + b_o) of every step.

    State: h. params, with D = num_output: W_xh D x inputs, b_h D, W_xh_static D x its inputs (with a static
    input), W_hh D x D, W_ho D x D, b_o D. Bottoms, tops and what takes a gradient: see Recurrent.

    Source: Caffe's RNNLayer.
    """

    reads = ("recurrent_param",)
    without_effect = (*Recurrent.without_effect, "recurrent_param.lstm_additional_forget_bias")
    backward_reads_top = True
    bottom_count = (2, 4)
    top_count = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self._h = Blob((), self.dtype)

    def _own_params(self) -> list[ShapeAndFiller]:
        param = self.layer_param.recurrent_param
        size = param.num_output
        return [((size, size), param.weight_filler), ((size,), param.bias_filler)]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self._h.reshape(*top[0].shape)

    def _step(self, t: int, z: np.ndarray, cont: np.ndarray, top: Sequence[Blob]) -> np.ndarray:
        return np.tanh(z, out=self._h.data[t])

    def _finish(self, top: Sequence[Blob]) -> None:
        weights, bias = self.blobs[-2:]
        out = top[0].data.reshape(-1, weights.num)
        fill_columns(bias.data, out)
        gemm(self._h.data.reshape(out.shape), weights.data, out, trans_b=True, beta=1)
        np.tanh(out, out=out)
        self._state["h"].data[...] = self._h.data[-1]

    def _start_backward(self, top: Sequence[Blob]) -> np.ndarray:
        weights, bias = self.blobs[-2:]
        h, diff = (
            self._h.data.reshape(-1, weights.num),
            scratch((top[0].count // weights.num, weights.num), top[0].dtype),
        )
        tanh_backward(top[0].data.reshape(-1), top[0].diff.reshape(-1), diff.reshape(-1))
        if self.propagates_to(self._hidden + 1):
            gemm(diff, h, weights.diff, trans_a=True, beta=1)
        if self.propagates_to(self._hidden + 2):
            bias.diff[...] += diff.sum(axis=0)
        gemm(diff, weights.data, self._h.diff.reshape(h.shape))
        return self._h.diff

    def _step_backward(
        self, t: int, h_diff: np.ndarray, cont: np.ndarray, top: Sequence[Blob], z_diff: np.ndarray
    ) -> None:
        tanh_backward(self._h.data[t].reshape(-1), h_diff.reshape(-1), z_diff.reshape(-1))
