"""What LSTM and RNN have in common: inputs, steps in time, and the way back through them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.fillers import fill
from caffe_compat.layers.common.learnable import ShapeAndFiller, count_of, set_up_params
from caffe_compat.layers.common.repetitions import check_steps
from caffe_compat.layers.kernels.blas import gemm
from caffe_compat.layers.recurrent.recurrent_bottoms import check_bottoms, has_static_input
from caffe_compat.layers.recurrent.recurrent_inputs import from_inputs, input_gradients


class Recurrent(Layer):
    """T steps over N streams: z_t = W_x x_t + b (+ W_static static) + W_h (cont_t h_{t-1}), and h_t from z_t.

    bottoms: x T x N x ...; cont T x N, 0 where a sequence begins, else 1; optionally static N x ..., an input of every
    step; with expose_hidden the states before the first step, 1 x N x num_output each. tops: T x N x num_output; with
    expose_hidden the states after the last step. cont and the states take no gradient, and the diffs of the tops'
    states are not used: the way back ends with the batch. Without expose_hidden the states are kept from one forward to
    the next (0 at first, and where N changes). With static_input_only_start, DSCLRCN's, the static input counts in the
    first step alone.

    params: W_x (num_output gates) x inputs, b, W_static, W_h (num_output gates) x num_output, and the subclass's
    own. Raises LayerError for shapes that do not fit. Unlike in Caffe, T may change.

    Source: Caffe's RecurrentLayer, as loops over the steps in place of its unrolled net.
    """

    no_gradient = (1,)
    without_effect: tuple[str, ...] = (
        "recurrent_param.debug_info",
    )  # there is no unrolled net to talk about
    states: tuple[str, ...] = ("h",)  # what goes from step to step; h is the first
    gates = 1  # elements of z for each element of h

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.recurrent_param
        count_of(self, param)
        check_steps(self, bottom[0].num)
        exposed = len(self.states) if param.expose_hidden else 0
        self.has_static = has_static_input(self, bottom, top, exposed)
        self.no_gradient = 1, *range(2 + self.has_static, len(bottom))
        self._z, self._held = Blob((), self.dtype), Blob((), self.dtype)  # _held: cont_t h_{t-1}
        self._state = {name: Blob((0, 0), self.dtype) for name in self.states}
        self._set_up_params(bottom)

    def _set_up_params(self, bottom: Sequence[Blob]) -> None:
        param = self.layer_param.recurrent_param
        rows = param.num_output * self.gates
        self._inputs = math.prod(bottom[0].shape[2:])
        once: list[ShapeAndFiller] = [
            ((rows, self._inputs), param.weight_filler),
            ((rows,), param.bias_filler),
        ]
        if self.has_static:
            once.append(((rows, math.prod(bottom[2].shape[1:])), param.weight_filler))
        each_step = [((rows, param.num_output), param.weight_filler), *self._own_params()]
        fresh = not self.blobs
        set_up_params(self, *once, *each_step)
        # each step of Caffe's unrolled net draws its own weights, and then shares those of the first
        for shape, filler in each_step * (bottom[0].num - 1 if fresh else 0):
            fill(Blob(shape, self.dtype), filler)

    def _own_params(self) -> list[ShapeAndFiller]:
        return []

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, size = bottom[0].shape, self.layer_param.recurrent_param.num_output
        static_inputs = self.blobs[2].shape[1] if self.has_static else None
        check_bottoms(self, bottom, self._inputs, static_inputs, self.states, size)
        self._z.reshape(*x[:2], size * self.gates)
        self._held.reshape(*x[:2], size)
        for blob in self._state.values():
            if blob.shape != (x[1], size):
                blob.reshape(x[1], size)
                blob.data[...] = 0
        top[0].reshape(*x[:2], size)
        for blob in top[1:]:
            blob.reshape(1, x[1], size)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        z, held, cont = self._z.data, self._held.data, bottom[1].data[:, :, None]
        from_inputs(self.blobs[: self._hidden], bottom, z, self._static_steps)
        for blob, given in zip(self._state.values(), bottom[self._hidden :], strict=False):
            blob.data[...] = given.data[0]
        h = self._state["h"].data
        for t in range(len(z)):
            np.multiply(cont[t], h, out=held[t])
            gemm(held[t], self.blobs[self._hidden].data, z[t], trans_b=True, beta=1)
            h = self._step(t, z[t], bottom[1].data[t], top)
        self._finish(top)
        for blob, shown in zip(self._state.values(), top[1:], strict=False):
            shown.data[0] = blob.data

    def _step(self, t: int, z: np.ndarray, cont: np.ndarray, top: Sequence[Blob]) -> np.ndarray:
        """Compute step t from z, N x (num_output gates), which it may change; returns h_t."""
        raise NotImplementedError

    def _finish(self, top: Sequence[Blob]) -> None:
        """After the last step: complete top[0], and keep the states."""
        raise NotImplementedError

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        z_diff, cont = self._z.diff, bottom[1].data
        h_diffs = self._start_backward(top)
        h_diff, from_next = np.empty(h_diffs.shape[1:], self.dtype), np.zeros(h_diffs.shape[1:], self.dtype)
        for t in reversed(range(len(z_diff))):
            np.add(h_diffs[t], from_next, out=h_diff)
            self._step_backward(t, h_diff, cont[t], top, z_diff[t])
            gemm(z_diff[t], self.blobs[self._hidden].data, from_next)
            from_next *= cont[t][:, None]
        if self.propagates_to(self._hidden):
            diff = self.blobs[self._hidden].diff
            gemm(_rows(z_diff), _rows(self._held.data), diff, trans_a=True, beta=1)
        input_gradients(self, self.blobs[: self._hidden], bottom, propagate_down, z_diff, self._static_steps)

    def _start_backward(self, top: Sequence[Blob]) -> np.ndarray:
        """Before the last step: the diffs of all h from top[0], and those of the subclass's own params."""
        raise NotImplementedError

    def _step_backward(
        self, t: int, h_diff: np.ndarray, cont: np.ndarray, top: Sequence[Blob], z_diff: np.ndarray
    ) -> None:
        """z_diff = the gradient of step t, from that of its h."""
        raise NotImplementedError

    @property
    def _static_steps(self) -> slice:
        """The steps that the static input counts in."""
        return slice(1 if self.layer_param.recurrent_param.static_input_only_start else None)

    @property
    def _hidden(self) -> int:
        """The index of W_h among the params, and of the first state among the bottoms."""
        return 3 if self.has_static else 2

    def get_state(self) -> dict[str, np.ndarray]:
        exposed = self.layer_param.recurrent_param.expose_hidden
        return {} if exposed else {name: blob.data.copy() for name, blob in self._state.items()}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        for name, values in state.items():
            self._state[name].reshape(*values.shape)
            self._state[name].data[...] = values


def _rows(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, array.shape[-1])
