"""Lstm, the one of junhyukoh's Caffe; BVLC's LSTM stands in layers/recurrent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.common.repetitions import check_steps
from caffe_compat.layers.common.warn_once import warn_once
from caffe_compat.layers.kernels import lstm as kernels
from caffe_compat.layers.kernels.blas import gemm
from caffe_compat.layers.registry import register


@register("Lstm")
class Lstm(Layer):
    """A long short-term memory over T steps of N sequences.

    bottom[0]: x T x N x ..., or (T batch_size) x inputs; bottom[1], if there is one: clip, T x N in any shape, 0 where
    a sequence begins. top: h of every step, T x N x num_output, or (T batch_size) x num_output. Without clip all
    sequences begin at the first step; with it they go on from where the last forward ended (0 at first, and where N
    changes). params, with D = num_output: W_x 4 D x inputs, W_h 4 D x D, b 4 D; the gates in the order input, forget,
    output, candidate. bottom[2], if there is one, is not read, and a warning says so: I3aer's net has its clip there.

    The gradient at the gates' inputs is cut to +-clipping_threshold where that is positive. As in the original, the
    gradient of W_h takes a sequence's first step, where that is not the first of the batch, for a step behind the
    sequence before it. Unlike there, the first step of the batch counts in all sequences, not in the first alone, and
    only where it goes on.

    Raises LayerError for shapes that do not fit.
    Source: LstmLayer of CTPN's fork of Caffe (tianzhi0549/CTPN), after junhyukoh/caffe-lstm.
    """

    reads = ("lstm_param",)
    origin = "junhyukoh's"
    bottom_count = (1, 3)
    no_gradient = (1, 2)
    backward_reads_top = True
    param_axes = (("output", "input"), ("output", "input"), ("output",))

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.lstm_param
        self._size = param.num_output
        if len(bottom) > 2:
            warn_once(self, "its third bottom is not read, as in the original; the second is taken for clip")
        if min(self._size, param.batch_size) < 1:
            raise self.error("num_output and batch_size must be at least 1")
        self._inputs = self._shape(bottom[0])[2]
        rows = 4 * self._size
        weights = [(rows, self._inputs), (rows, self._size)]
        set_up_params(
            self, *((shape, param.weight_filler) for shape in weights), ((rows,), param.bias_filler)
        )
        self._gates, self._c = (
            Blob((), self.dtype),
            Blob((), self.dtype),
        )  # c: before the first step, and after each
        self._first = Blob((), self.dtype)  # h before the first step
        self._last = np.zeros((2, 0, self._size), self.dtype)  # h and c after the last forward

    def _shape(self, x: Blob) -> tuple[int, int, int]:
        """T, N, inputs."""
        shape, batch = x.shape, self.layer_param.lstm_param.batch_size
        if len(shape) == 2 and shape[0] % batch == 0:
            shape = shape[0] // batch, batch, shape[1]
        if len(shape) < 3 or min(shape[:2]) < 1:
            raise self.error(
                f"bottom[0] has the shape {x.shape}, expected T x N x inputs, or (T batch_size) x inputs with "
                f"batch_size {batch}"
            )
        check_steps(self, shape[0])
        return shape[0], shape[1], math.prod(shape[2:])

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        steps, streams, inputs = self._shape(bottom[0])
        if inputs != self._inputs:
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}, expected {self._inputs} inputs a step"
            )
        if len(bottom) > 1 and bottom[1].count != steps * streams:
            raise self.error(f"clip has the shape {bottom[1].shape}, expected {steps} x {streams}")
        self._gates.reshape(steps, streams, 4 * self._size)
        self._c.reshape(steps + 1, streams, self._size)
        self._first.reshape(streams, self._size)
        if self._last.shape[1] != streams:
            self._last = np.zeros((2, streams, self._size), self.dtype)
        rows = bottom[0].shape[:1] if len(bottom[0].shape) == 2 else (steps, streams)
        top[0].reshape(*rows, self._size)

    def _cont(self, bottom: Sequence[Blob]) -> np.ndarray:
        """T x N: 0 where a sequence begins, else 1."""
        steps, streams, _ = self._gates.shape
        if len(bottom) > 1:
            return (bottom[1].data.reshape(steps, streams) != 0).astype(self.dtype)
        return np.repeat(np.arange(steps)[:, None] > 0, streams, axis=1).astype(self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        w_x, w_h, bias = (blob.data for blob in self.blobs)
        cont, gates, c = self._cont(bottom), self._gates.data, self._c.data
        h = top[0].data.reshape(*gates.shape[:2], self._size)
        gates[...] = bias
        gemm(self._rows(bottom[0].data), w_x, self._rows(gates), trans_b=True, beta=1)
        self._first.data[...], c[0] = self._last if len(bottom) > 1 else (0, 0)
        before = self._first.data
        for t in range(len(gates)):
            gemm(before * cont[t][:, None], w_h, gates[t], trans_b=True, beta=1)
            kernels.forward(c[t], gates[t], cont[t], gates[t], c[t + 1], h[t])
            before = h[t]
        self._last[0], self._last[1] = h[-1], c[-1]

    def _rows(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(math.prod(self._gates.shape[:2]), -1)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        cont, diff = self._cont(bottom), self._gates.diff
        self._backward_steps(top[0].diff.reshape(*diff.shape[:2], self._size), cont, diff)
        rows, x = self._rows(diff), self._rows(bottom[0].data)
        if self.propagates_to(0):
            gemm(rows, x, self.blobs[0].diff, trans_a=True, beta=1)
        if self.propagates_to(1):
            h = top[0].data.reshape(*diff.shape[:2], self._size)
            before = np.concatenate([self._first.data[None] * cont[0][:, None], h[:-1]])
            gemm(rows, self._rows(before), self.blobs[1].diff, trans_a=True, beta=1)
        if self.propagates_to(2):
            self.blobs[2].diff[...] += rows.sum(axis=0)
        if propagate_down[0]:
            gemm(rows, self.blobs[0].data, self._rows(bottom[0].diff))

    def _backward_steps(self, h_diffs: np.ndarray, cont: np.ndarray, diff: np.ndarray) -> None:
        """diff = the gradients at the gates' inputs."""
        threshold = self.layer_param.lstm_param.clipping_threshold
        gates, c, c_diff = self._gates.data, self._c.data, self._c.diff
        c_diff[-1] = 0
        from_next = np.zeros_like(h_diffs[0])
        for t in reversed(range(len(gates))):
            kernels.backward(
                c[t], gates[t], cont[t], c[t + 1], c_diff[t + 1], h_diffs[t] + from_next, c_diff[t], diff[t]
            )
            if threshold > 0:
                np.clip(diff[t], -threshold, threshold, out=diff[t])
            gemm(diff[t], self.blobs[1].data, from_next)
            from_next *= cont[t][:, None]

    def get_state(self) -> dict[str, np.ndarray]:
        return {"last": self._last.copy()}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self._last = state["last"].copy()
