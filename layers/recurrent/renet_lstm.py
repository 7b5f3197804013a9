"""ReNetLSTM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.learnable import ShapeAndFiller, count_of, set_up_params
from caffe_compat.layers.common.sigmoid import sigmoid
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import FillerParameter, ReNetLSTMParameter

GATES = 4  # input, candidate, output, forget
IN, CANDIDATE, OUT, FORGET = range(GATES)
PEEPHOLES = IN, OUT, FORGET  # the gates that see c, in the order of their params
A_WAY = 2 * GATES + len(PEEPHOLES)  # params of each of the two ways


class Way:
    """One of the two ways over the lines of patches: its params, and what the last forward had, steps x M x K."""

    gates: np.ndarray  # steps x 4 x M x K
    c: np.ndarray
    h: np.ndarray

    def __init__(self, blobs: Sequence[Blob], peephole: bool):
        self.weights, self.seen, self.biases = blobs[:GATES], blobs[GATES:-GATES], blobs[-GATES:]
        self.peephole = peephole

    def forward(self, x: np.ndarray) -> np.ndarray:
        """h of each step, from x, steps x M x inputs."""
        inputs, outputs = x.shape[2], self.biases[0].count
        on_x, on_h = (np.stack([w.data[:, part].T for w in self.weights]) for part in _parts(inputs))
        z = np.matmul(x[:, None], on_x) + np.stack([b.data for b in self.biases])[:, None]
        self.gates, self.c = z, np.zeros((len(x) + 1, x.shape[1], outputs), x.dtype)
        self.h = np.zeros_like(self.c)  # of the step before; the first is none
        for step, gates in enumerate(z):
            gates += np.matmul(self.h[step], on_h)
            for gate in (IN, FORGET):
                self._look(gates, gate, self.c[step])
            gates[[IN, FORGET]] = sigmoid(gates[[IN, FORGET]])
            gates[CANDIDATE] = np.tanh(gates[CANDIDATE])
            self.c[step + 1] = gates[IN] * gates[CANDIDATE] + gates[FORGET] * self.c[step]
            self._look(gates, OUT, self.c[step + 1])
            gates[OUT] = sigmoid(gates[OUT])
            self.h[step + 1] = gates[OUT] * np.tanh(self.c[step + 1])
        return self.h[1:]

    def _look(self, gates: np.ndarray, gate: int, c: np.ndarray) -> None:
        if self.peephole:
            gates[gate] += c @ self.seen[PEEPHOLES.index(gate)].data.T

    def backward(self, h_diff: np.ndarray) -> np.ndarray:
        """The gradients at the gates' inputs, steps x 4 x M x K, from that at each h."""
        on_h = np.stack([w.data[:, -h_diff.shape[2] :] for w in self.weights])
        diffs = np.empty_like(self.gates)
        from_next = np.zeros_like(h_diff[0])
        c_diff = np.zeros_like(from_next)
        for step in reversed(range(len(h_diff))):
            gates, squashed, diff = self.gates[step], np.tanh(self.c[step + 1]), diffs[step]
            dh = h_diff[step] + from_next
            diff[OUT] = dh * squashed * gates[OUT] * (1 - gates[OUT])
            c_diff += dh * gates[OUT] * (1 - squashed * squashed) + self._seen_from(diff, OUT)
            diff[IN] = c_diff * gates[CANDIDATE] * gates[IN] * (1 - gates[IN])
            diff[CANDIDATE] = c_diff * gates[IN] * (1 - gates[CANDIDATE] ** 2)
            diff[FORGET] = c_diff * self.c[step] * gates[FORGET] * (1 - gates[FORGET])
            c_diff = c_diff * gates[FORGET] + self._seen_from(diff, IN) + self._seen_from(diff, FORGET)
            from_next = np.matmul(diff, on_h).sum(axis=0)
        return diffs

    def _seen_from(self, diff: np.ndarray, gate: int) -> np.ndarray | float:
        return diff[gate] @ self.seen[PEEPHOLES.index(gate)].data if self.peephole else 0.0

    def param_gradients(self, x: np.ndarray, diffs: np.ndarray) -> list[np.ndarray]:
        """Of each of the params, in their order."""
        seen = np.concatenate([x, self.h[:-1]], axis=2)
        weights = [np.einsum("smk,smi->ki", diffs[:, gate], seen, optimize=True) for gate in range(GATES)]
        states = {IN: self.c[:-1], OUT: self.c[1:], FORGET: self.c[:-1]}
        peepholes = [
            np.einsum("smk,smi->ki", diffs[:, gate], states[gate], optimize=True) * self.peephole
            for gate in PEEPHOLES
        ]
        return [*weights, *peepholes, *diffs.sum(axis=(0, 2))]

    def input_gradient(self, diffs: np.ndarray, inputs: int) -> np.ndarray:
        on_x = np.stack([w.data[:, :inputs] for w in self.weights])
        return np.matmul(diffs, on_x).sum(axis=1)


def _parts(inputs: int) -> tuple[slice, slice]:
    """The columns of weights on x, and on h."""
    return slice(None, inputs), slice(inputs, None)


@register("ReNetLSTM")
class ReNetLSTM(Layer):
    """Two LSTMs over each row (X_DIR) or column (Y_DIR) of a map's patches, one from either end.

    bottom: N x C x H x W, of H' x W' patches of patch_height x patch_width; top: N x 2 K x H' x W', K = num_output: h
    of each patch of the way from the left or top, then of the other. With peephole the gates see c as well, by K x K
    params; of the patch before, the output gate of its own.

    params, for each way: weights K x (C patch_height patch_width + K) on a patch and h, of the input gate, the
    candidate, the output gate and the forget gate; K x K on c of the input, output and forget gate (0 and unused
    without peephole); biases K of the first four. Raises LayerError for shapes that do not fit.
    Source: ReNetLSTMLayer of PiCANet (nian-liu), which sets its params' gradients where Caffe's layers add to them;
    Visin et al., ReNet: A Recurrent Neural Network Based Alternative to Convolutional Networks (2015).
    """

    reads = ("renet_lstm_param",)
    origin = "PiCANet"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.renet_lstm_param
        self.patch = param.patch_height, param.patch_width
        if min(self.patch) < 1:
            raise self.error("patch_height and patch_width must be at least 1")
        if len(bottom[0].shape) != 4:
            raise self.error(f"the bottom has the shape {bottom[0].shape}; expected N x C x H x W")
        self.channels, k = bottom[0].channels, count_of(self, param)
        weights = (k, self.channels * self.patch[0] * self.patch[1] + k), param.general_weight_filler
        unfilled = FillerParameter(type="constant", value=0)
        seen: ShapeAndFiller = (k, k), param.general_weight_filler if param.peephole else unfilled
        fillers = (
            param.input_gate_bias_filler,
            param.general_bias_filler,
            param.output_gate_bias_filler,
            param.forget_gate_bias_filler,
        )
        biases: list[ShapeAndFiller] = [((k,), filler) for filler in fillers]
        set_up_params(self, *([weights] * GATES + [seen] * len(PEEPHOLES) + biases) * 2)
        self.outputs = k

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if (
            len(shape) != 4
            or shape[1] != self.channels
            or any(size % part for size, part in zip(shape[2:], self.patch, strict=True))
        ):
            raise self.error(
                f"the bottom has the shape {shape}; expected N x {self.channels} x H x W, of patches of {self.patch}"
            )
        self.across = self.layer_param.renet_lstm_param.direction == ReNetLSTMParameter.X_DIR
        rows, columns = (size // part for size, part in zip(shape[2:], self.patch, strict=True))
        top[0].reshape(shape[0], 2 * self.outputs, rows, columns)

    def _patches(self, array: np.ndarray) -> np.ndarray:
        """A view of a map: steps x lines x N x C x patch_height x patch_width."""
        n, c, h, w = array.shape
        high, wide = self.patch
        view = array.reshape(n, c, h // high, high, w // wide, wide)
        return view.transpose((4, 2, 0, 1, 3, 5) if self.across else (2, 4, 0, 1, 3, 5))

    def _steps(self, patches: np.ndarray) -> np.ndarray:
        steps, lines, n = patches.shape[:3]
        return patches.reshape(steps, lines * n, patches[0, 0, 0].size if patches.size else 0)

    def _lines(self, array: np.ndarray) -> np.ndarray:
        """A view of the top: steps x lines x N x 2 K."""
        return array.transpose((3, 2, 0, 1) if self.across else (2, 3, 0, 1))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not bottom[0].count:
            return
        x, k = self._steps(self._patches(bottom[0].data)), self.outputs
        peephole = self.layer_param.renet_lstm_param.peephole
        self.ways = [Way(self.blobs[i * A_WAY : (i + 1) * A_WAY], peephole) for i in range(2)]
        lines = self._lines(top[0].data)
        for i, way in enumerate(self.ways):
            h = way.forward(x[:: 1 - 2 * i])[:: 1 - 2 * i]
            lines[..., i * k : (i + 1) * k] = h.reshape(*lines.shape[:3], k)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not bottom[0].count:
            return
        x, k, lines = self._steps(self._patches(bottom[0].data)), self.outputs, self._lines(top[0].diff)
        x_diff = np.zeros_like(x)
        for i, way in enumerate(self.ways):
            turn = 1 - 2 * i
            diff = np.ascontiguousarray(lines[..., i * k : (i + 1) * k]).reshape(len(x), -1, k)
            diffs = way.backward(diff[::turn])
            for j, gradient in enumerate(way.param_gradients(x[::turn], diffs)):
                if self.propagates_to(i * A_WAY + j):
                    self.blobs[i * A_WAY + j].diff[...] += gradient
            x_diff += way.input_gradient(diffs, x.shape[2])[::turn]
        if propagate_down[0]:
            patches = self._patches(bottom[0].diff)
            patches[...] = x_diff.reshape(patches.shape)
