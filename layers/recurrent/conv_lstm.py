"""ConvLSTM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.fillers import fill
from caffe_compat.layers.common.learnable import ShapeAndFiller, set_up_params
from caffe_compat.layers.common.repetitions import check_steps
from caffe_compat.layers.common.sizes import sizes
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution
from caffe_compat.layers.kernels import lstm as kernels
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import FillerParameter

GATES = 4  # input, forget, output, candidate
PEEPHOLES = 3  # the candidate has none


@register("ConvLSTM")
class ConvLSTM(Layer):
    """A long short-term memory whose states are maps, and whose gates see x and h by convolutions.

    bottoms: x T x N x C x H x W; cont T x N, 0 where a sequence begins, else 1; with expose_hidden the states h and c
    before the first step, 1 x N x K x H x W each, with K = num_output. tops: h of every step, T x N x K x H x W; with
    expose_hidden h and c after the last step. cont and the states take no gradient, and the diffs of the tops' states
    are not used. Without expose_hidden the states are kept from one forward to the next (0 at first, and where their
    shape changes). lstm_conv_param says both convolutions, which have to keep H x W.

    Unless disable_hadamard, the first three gates see c as well, element by element, times params of the axes
    axis_hadamard and num_axes_hadamard behind it (H x W); as in the original, also where a sequence begins.

    params: filters on x for the input, forget and output gate and for the candidate, K x C x kernel_h x kernel_w; then
    for each of them filters on h, K x K x kernel_h x kernel_w, and a bias K, unless bias_term is false; then three of
    the shape H x W. Raises LayerError for shapes that do not fit.

    Source: ConvLSTMLayer of agethen/ConvLSTM-for-Caffe, as loops over the steps in place of its unrolled net; Shi et
    al. (2015), "Convolutional LSTM network".
    """

    reads = ("convolution_param", "recurrent_param", "lstm_conv_param", "lstm_debug_param")
    origin = "agethen's"
    bottom_count = (2, 4)
    top_count = (1, 3)
    no_gradient = (1, 2, 3)
    without_effect = (
        *(
            f"recurrent_param.{field}"
            for field in ("num_output", "weight_filler", "bias_filler", "debug_info")
        ),
        *(f"lstm_conv_param.{field}" for field in ("axis", "force_nd_im2col")),
    )
    refused = {
        "convolution_param": "write it as lstm_conv_param { ... }",
        **{
            f"lstm_conv_param.{prefix}_{side}": f"give {field}, once or once an axis"
            for prefix, field in (("pad", "pad"), ("kernel", "kernel_size"), ("stride", "stride"))
            for side in "hw"
        },
        **{
            f"recurrent_param.{field}": "it is of another Caffe's LSTM; remove it"
            for field in ("lstm_additional_forget_bias", "static_input_only_start")
        },
        "lstm_conv_param.type": "there is one lstm_conv_param, for the inputs and for the hidden states",
        "lstm_debug_param.expose": "inner blobs are not shown; expose_hidden shows the states after the last step",
        "lstm_debug_param.ignore_x": "give an x of zeros",
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        exposed = 2 if self.layer_param.recurrent_param.expose_hidden else 0
        if len(bottom) != 2 + exposed or len(top) != 1 + exposed:
            raise self.error(
                f"has {len(bottom)} bottoms and {len(top)} tops, expected x, cont and {exposed} states, and 1 top and "
                f"{exposed} states (they are exposed with expose_hidden: true)"
            )
        shape = bottom[0].shape
        if len(shape) != 5 or bottom[0].count == 0:
            raise self.error(f"x has the shape {shape}, expected T x N x C x H x W")
        check_steps(self, shape[0])
        param = self.layer_param.lstm_conv_param
        self._channels, self.outputs = shape[2], param.num_output
        if min(self.outputs, param.group) < 1 or self.outputs % param.group or self._channels % param.group:
            raise self.error(
                f"num_output {self.outputs} and the {self._channels} channels of x must be multiples of "
                f"group {param.group}"
            )
        self._convolution = Im2colConvolution(self.geometry(), param.group)
        self._states = np.zeros((2, 0, 0, 0, 0), self.dtype)
        self._set_up_params(shape)

    def geometry(self) -> ConvGeometry:
        param = self.layer_param.lstm_conv_param
        return ConvGeometry(
            sizes(self, param, 2, "kernel_size", "", default=0, least=1),
            sizes(self, param, 2, "stride", "", default=1, least=1),
            sizes(self, param, 2, "pad", "", default=0, least=0),
            sizes(self, param, 2, "dilation", "", default=1, least=1),
        )

    def _set_up_params(self, shape: tuple[int, ...]) -> None:
        param, debug = self.layer_param.lstm_conv_param, self.layer_param.lstm_debug_param
        kernel = self.geometry().kernel
        on_x = (self.outputs, self._channels // param.group, *kernel), param.weight_filler
        on_h: list[ShapeAndFiller] = [
            ((self.outputs, self.outputs // param.group, *kernel), param.weight_filler)
        ]
        if param.bias_term:
            on_h.append(((self.outputs,), param.bias_filler))
        each_step = on_h * GATES
        if not debug.disable_hadamard:
            axis, end = debug.axis_hadamard, debug.axis_hadamard + debug.num_axes_hadamard
            if not 0 <= axis < end <= 5:
                raise self.error(
                    f"axis_hadamard {axis} and num_axes_hadamard {end - axis} lead beyond the 5 axes of c"
                )
            c = (1, shape[1], self.outputs, *shape[3:])
            self.broadcast = (*[1] * axis, *c[axis:end], *[1] * (5 - end))
            each_step += [(c[axis:end], FillerParameter(type="constant", value=1))] * PEEPHOLES
        fresh = not self.blobs
        set_up_params(self, *[on_x] * GATES, *each_step)
        # each step of the unrolled net draws its own weights, and then shares those of the first
        for filled, filler in each_step * (shape[0] - 1 if fresh else 0):
            fill(Blob(filled, self.dtype), filler)
        self._per_gate = len(on_h)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].shape
        if len(x) != 5 or x[2] != self._channels or bottom[0].count == 0:
            raise self.error(f"x has the shape {x}, expected T x N x {self._channels} x H x W")
        check_steps(self, x[0])
        if self.geometry().output_shape(x[3:]) != x[3:]:
            raise self.error(
                f"the convolution makes {self.geometry().output_shape(x[3:])} of {x[3:]}; pad has to keep it"
            )
        if bottom[1].shape != x[:2]:
            raise self.error(f"cont has the shape {bottom[1].shape}, expected {x[:2]} as x has it")
        state = 1, x[1], self.outputs, *x[3:]
        for blob in bottom[2:]:
            if blob.shape != state:
                raise self.error(f"a state has the shape {blob.shape}, expected {state}")
        if self.peepholes() and any(a not in (1, b) for a, b in zip(self.broadcast, state, strict=True)):
            raise self.error(
                f"the last params have the shape {self.peepholes()[0].shape}, which does not fit c {state}"
            )
        if self._states.shape[1:] != state[1:]:
            self._states = np.zeros((2, *state[1:]), self.dtype)
        self._gates = np.empty((x[0], x[1], GATES * self.outputs, *x[3:]), self.dtype)
        self._c = np.empty((x[0] + 1, *state[1:]), self.dtype)
        self._held = np.empty((x[0], *state[1:]), self.dtype)  # cont h of the step before
        top[0].reshape(x[0], *state[1:])
        for blob in top[1:]:
            blob.reshape(*state)

    def peepholes(self) -> list[Blob]:
        return self.blobs[GATES * (1 + self._per_gate) :]

    def on_h(self, gate: int) -> list[Blob]:
        """Filters, and a bias if there is one."""
        first = GATES + gate * self._per_gate
        return self.blobs[first : first + self._per_gate]

    def _gate(self, array: np.ndarray, gate: int) -> np.ndarray:
        """Its channels, of ... x 4 K x H x W."""
        return array[..., gate * self.outputs : (gate + 1) * self.outputs, :, :]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, z, h = bottom[0].data, self._gates, top[0].data
        if len(bottom) > 2:
            self._states[:] = bottom[2].data[0], bottom[3].data[0]
        for gate in range(GATES):
            outs = self._gate(z, gate).reshape(-1, *h.shape[2:])
            self._convolution.forward(x.reshape(-1, *x.shape[2:]), self.blobs[gate].data, None, outs)
            self._gate(z, gate)[...] = outs.reshape(h.shape)
        before, self._c[0] = self._states
        seen = np.empty_like(h[0])
        for t, cont in enumerate(bottom[1].data):
            self._held[t] = before * cont[:, None, None, None]
            for gate in range(GATES):
                filters, *biases = (blob.data for blob in self.on_h(gate))
                self._convolution.forward(self._held[t], filters, biases[0] if biases else None, seen)
                self._gate(z[t], gate)[...] += seen
            for gate, hadamard in enumerate(self.peepholes()):
                self._gate(z[t], gate)[...] += self._c[t] * hadamard.data.reshape(self.broadcast)[0]
            rows = [array.reshape(len(cont), -1) for array in (self._c[t], z[t], z[t], self._c[t + 1], h[t])]
            kernels.forward(rows[0], rows[1], cont, rows[2], rows[3], rows[4])
            before = h[t]
        self._states[:] = h[-1], self._c[-1]
        for blob, state in zip(top[1:], self._states, strict=False):
            blob.data[0] = state

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        z_diff = np.empty_like(self._gates)
        self._backward_steps(top[0].diff, bottom[1].data, z_diff)
        x = bottom[0].data.reshape(-1, *bottom[0].shape[2:])
        x_diff = np.zeros_like(x)
        part = np.empty_like(x)
        for gate in range(GATES):
            diffs = self._gate(z_diff, gate).reshape(len(x), self.outputs, *x.shape[2:])
            if self.propagates_to(gate):
                self._convolution.add_filters_gradient(x, diffs, self.blobs[gate].diff)
            if propagate_down[0]:
                self._convolution.image_gradient(diffs, self.blobs[gate].data, part)
                x_diff += part
        if propagate_down[0]:
            bottom[0].diff[...] = x_diff.reshape(bottom[0].shape)

    def _backward_steps(self, h_diffs: np.ndarray, cont: np.ndarray, z_diff: np.ndarray) -> None:
        """z_diff = the gradients at the gates' inputs; adds to the diffs of all params but the filters on x."""
        c_diff, from_next = np.zeros_like(self._c[0]), np.zeros_like(self._c[0])
        part = np.empty_like(from_next)
        for t in reversed(range(len(z_diff))):
            n = len(cont[t])
            arrays = (
                self._c[t],
                self._gates[t],
                self._c[t + 1],
                c_diff,
                h_diffs[t] + from_next,
                c_diff,
                z_diff[t],
            )
            c, gates, after, below, h_diff, before, diff = (array.reshape(n, -1) for array in arrays)
            kernels.backward(c, gates, cont[t], after, below, h_diff, before, diff)
            from_next[...] = 0
            for gate in range(GATES):
                self._backward_on_h(t, gate, np.ascontiguousarray(self._gate(z_diff[t], gate)), part)
                from_next += part
            from_next *= cont[t][:, None, None, None]
            self._backward_peepholes(t, z_diff[t], c_diff)

    def _backward_on_h(self, t: int, gate: int, diff: np.ndarray, h_diff: np.ndarray) -> None:
        filters, *bias = self.on_h(gate)
        first = GATES + gate * self._per_gate
        if self.propagates_to(first):
            self._convolution.add_filters_gradient(self._held[t], diff, filters.diff)
        if bias and self.propagates_to(first + 1):
            bias[0].diff[...] += diff.sum(axis=(0, 2, 3))
        self._convolution.image_gradient(diff, filters.data, h_diff)

    def _backward_peepholes(self, t: int, z_diff: np.ndarray, c_diff: np.ndarray) -> None:
        first = GATES * (1 + self._per_gate)
        for gate, hadamard in enumerate(self.peepholes()):
            diff = self._gate(z_diff, gate)
            if self.propagates_to(first + gate):
                axes = tuple(i for i, size in enumerate(self.broadcast[1:]) if size == 1)
                hadamard.diff[...] += (diff * self._c[t]).sum(axis=axes).reshape(hadamard.shape)
            c_diff += diff * hadamard.data.reshape(self.broadcast)[0]

    def get_state(self) -> dict[str, np.ndarray]:
        return {} if self.layer_param.recurrent_param.expose_hidden else {"states": self._states.copy()}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self._states = state["states"].copy()
