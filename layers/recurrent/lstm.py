"""LSTM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.kernels import lstm as kernels
from caffe_compat.layers.recurrent.recurrent import Recurrent
from caffe_compat.layers.registry import register


@register("LSTM")
class LSTM(Recurrent):
    """A long short-term memory over the steps of a batch of sequences; top[0] is h of every step.

    Each step is an LSTMUnit on z (the gates i, f, o, g) and the cells before it. States: h and c. params, with D =
    num_output: W_xc 4 D x inputs, b_c 4 D, W_xc_static 4 D x its inputs (with a static input), W_hc 4 D x D. DSCLRCN's
    lstm_additional_forget_bias is added to the gate f. Bottoms, tops and what takes a gradient: see Recurrent.

    Source: Caffe's LSTMLayer; Donahue et al. (2015), "Long-term recurrent convolutional networks".
    """

    reads = ("recurrent_param",)
    bottom_count = (2, 5)
    top_count = (1, 3)
    states = ("h", "c")
    gates = 4

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self._c = Blob((), self.dtype)  # before the first step, and after each

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        steps, streams, size = top[0].shape
        self._c.reshape(steps + 1, streams, size)

    def _step(self, t: int, z: np.ndarray, cont: np.ndarray, top: Sequence[Blob]) -> np.ndarray:
        c, h = self._c.data, top[0].data[t]
        if t == 0:
            c[0] = self._state["c"].data
        size = h.shape[1]
        z[:, size : 2 * size] += self.dtype(self.layer_param.recurrent_param.lstm_additional_forget_bias)
        kernels.forward(c[t], z, cont, z, c[t + 1], h)
        return h

    def _finish(self, top: Sequence[Blob]) -> None:
        self._state["h"].data[...] = top[0].data[-1]
        self._state["c"].data[...] = self._c.data[-1]

    def _start_backward(self, top: Sequence[Blob]) -> np.ndarray:
        self._c.diff[-1] = 0
        return top[0].diff

    def _step_backward(
        self, t: int, h_diff: np.ndarray, cont: np.ndarray, top: Sequence[Blob], z_diff: np.ndarray
    ) -> None:
        c, c_diff = self._c.data, self._c.diff
        kernels.backward(c[t], self._z.data[t], cont, c[t + 1], c_diff[t + 1], h_diff, c_diff[t], z_diff)
