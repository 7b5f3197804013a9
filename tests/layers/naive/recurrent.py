"""Recurrent layers: how their bottoms and params are those of layers/recurrent/recurrence.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import LayerParameter
from layers.naive import filters
from layers.naive.given import Given
from layers.recurrent import recurrence


def unrolled(function, count: int):
    """The layer that function computes, with so many states."""

    def layer(given: Given) -> list[np.ndarray]:
        (x, cont, *rest), param = given.bottom, given.param.recurrent_param
        states = [np.zeros((x.shape[1], param.num_output))] * count
        if param.expose_hidden:
            rest, states = rest[:-count], [state[0] for state in rest[-count:]]
        static = rest[0].reshape(x.shape[1], -1) if rest else None
        more = {"only_start": param.static_input_only_start}
        if function is recurrence.lstm:
            more["forget_bias"] = param.lstm_additional_forget_bias
        top, last = function(x.reshape(*x.shape[:2], -1), cont, static, given.blobs, *states, **more)
        return [top, *(state[None] for state in last)] if param.expose_hidden else [top]

    return layer


def lstm_unit(given: Given) -> list[np.ndarray]:
    c, x, cont = given.bottom
    size = c.shape[2]
    gates = [np.eye(4 * size), np.zeros(4 * size), np.zeros((4 * size, size))]
    _, (h, c) = recurrence.lstm(x, cont, None, gates, np.zeros(c.shape[1:]), c[0])
    return [c[None], h[None]]


def conv_lstm(given: Given) -> list[np.ndarray]:
    x, cont, *states = given.bottom
    debug, exposes = given.param.lstm_debug_param, given.param.recurrent_param.expose_hidden
    assert exposes == bool(states)
    steps, streams, _, height, width = x.shape
    per_gate = 1 + given.param.lstm_conv_param.bias_term
    peepholes = given.blobs[4 + 4 * per_gate :]
    assert len(peepholes) == (0 if debug.disable_hadamard else 3)
    h, c = (state[0] for state in states or np.zeros((2, 1, streams, given.blobs[0].shape[0], height, width)))
    shown = []

    def seen(images: np.ndarray, *blobs: np.ndarray) -> np.ndarray:
        param = LayerParameter()
        for field in ("num_output", "group"):
            setattr(param.convolution_param, field, getattr(given.param.lstm_conv_param, field))
        for field in ("kernel_size", "pad", "stride", "dilation"):
            getattr(param.convolution_param, field).extend(getattr(given.param.lstm_conv_param, field))
        param.convolution_param.bias_term = len(blobs) > 1
        return filters.convolution(replace(given, param=param, bottom=[images], blobs=list(blobs)))[0]

    for t in range(steps):
        held = h * cont[t][:, None, None, None]
        z = []
        for gate in range(4):
            z.append(
                seen(x[t], given.blobs[gate]) + seen(held, *given.blobs[4 + gate * per_gate :][:per_gate])
            )
            if gate < len(peepholes):
                assert peepholes[gate].ndim == debug.num_axes_hadamard
                behind = 5 - debug.axis_hadamard - peepholes[gate].ndim
                z[gate] = z[gate] + c * peepholes[gate].reshape(*peepholes[gate].shape, *[1] * behind)
        i, f, o = (1 / (1 + np.exp(-part)) for part in z[:3])
        c = cont[t][:, None, None, None] * f * c + i * np.tanh(z[3])
        h = o * np.tanh(c)
        shown.append(h)
    return [np.stack(shown), *([h[None], c[None]] if exposes else [])]


def renet_lstm(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.renet_lstm_param
    high, wide, k = param.patch_height, param.patch_width, param.num_output
    n, rows, columns = len(x), x.shape[2] // high, x.shape[3] // wide
    top = np.zeros((n, 2 * k, rows, columns))
    across = param.direction == param.X_DIR
    for way in range(2):
        blobs = given.blobs[way * 11 : way * 11 + 11]
        for image, line in np.ndindex(n, rows if across else columns):
            c = h = np.zeros(k)
            steps = range(columns if across else rows)
            for step in reversed(steps) if way else steps:
                i, j = (line, step) if across else (step, line)
                patch = x[image, :, i * high : (i + 1) * high, j * wide : (j + 1) * wide]
                seen = np.concatenate([patch.ravel(), h])
                z = [w @ seen + b for w, b in zip(blobs[:4], blobs[7:], strict=True)]
                if param.peephole:
                    z[0], z[3] = z[0] + blobs[4] @ c, z[3] + blobs[6] @ c
                c = np.tanh(z[1]) / (1 + np.exp(-z[0])) + c / (1 + np.exp(-z[3]))
                out = z[2] + blobs[5] @ c if param.peephole else z[2]
                h = np.tanh(c) / (1 + np.exp(-out))
                top[image, way * k : (way + 1) * k, i, j] = h
    return [top]


NAIVE = {
    "ReNetLSTM": renet_lstm,
    "ConvLSTM": conv_lstm,
    "LSTM": unrolled(recurrence.lstm, 2),
    "LSTMUnit": lstm_unit,
    "RNN": unrolled(recurrence.rnn, 1),
}
