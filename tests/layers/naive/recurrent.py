"""Recurrent layers: how their bottoms and params are those of layers/recurrent/recurrence.py."""

from __future__ import annotations

import numpy as np

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
        top, last = function(x.reshape(*x.shape[:2], -1), cont, static, given.blobs, *states)
        return [top, *(state[None] for state in last)] if param.expose_hidden else [top]

    return layer


def lstm_unit(given: Given) -> list[np.ndarray]:
    c, x, cont = given.bottom
    size = c.shape[2]
    gates = [np.eye(4 * size), np.zeros(4 * size), np.zeros((4 * size, size))]
    _, (h, c) = recurrence.lstm(x, cont, None, gates, np.zeros(c.shape[1:]), c[0])
    return [c[None], h[None]]


NAIVE = {
    "LSTM": unrolled(recurrence.lstm, 2),
    "LSTMUnit": lstm_unit,
    "RNN": unrolled(recurrence.rnn, 1),
}
