"""One step of an LSTM, element by element.

Arrays, N x D: c_prev, c and h, the cells before and after the step and what they show; N x 4 D: the gates, in four
parts: input, forget, output, and the candidate; N: cont, 0 where a sequence begins, else 1.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared


@piece()
def _sigmoid(x):
    return np.float32(1) / (np.float32(1) + np.exp(-x))


@shared()
def forward(c_prev, x, cont, gates, c, h, part, parts):
    """gates = the activations of x, which may be the same array; c = forget c_prev + input candidate; h."""
    size = c.shape[1]
    for n in range(*share_of(len(c), part, parts)):
        for d in range(size):
            i, f = _sigmoid(x[n, d]), _sigmoid(x[n, size + d])
            o, g = _sigmoid(x[n, 2 * size + d]), np.tanh(x[n, 3 * size + d])
            gates[n, d], gates[n, size + d], gates[n, 2 * size + d], gates[n, 3 * size + d] = i, f, o, g
            c[n, d] = cont[n] * f * c_prev[n, d] + i * g
            h[n, d] = o * np.tanh(c[n, d])


@shared()
def backward(c_prev, gates, cont, c, c_diff, h_diff, c_prev_diff, x_diff, part, parts):
    """The diffs of c_prev (which may be the same array as c_diff) and x, from those of c and h."""
    size = c.shape[1]
    one = np.float32(1)
    for n in range(*share_of(len(c), part, parts)):
        for d in range(size):
            i, f = gates[n, d], gates[n, size + d]
            o, g = gates[n, 2 * size + d], gates[n, 3 * size + d]
            shown = np.tanh(c[n, d])
            diff = c_diff[n, d] + h_diff[n, d] * o * (one - shown * shown)
            x_diff[n, d] = diff * g * i * (one - i)
            x_diff[n, size + d] = cont[n] * diff * c_prev[n, d] * f * (one - f)
            x_diff[n, 2 * size + d] = h_diff[n, d] * shown * o * (one - o)
            x_diff[n, 3 * size + d] = diff * i * (one - g * g)
            c_prev_diff[n, d] = cont[n] * diff * f
