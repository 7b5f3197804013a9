"""LSTM and RNN one number at a time, in plain Python but for products, with gradients by differences."""

from __future__ import annotations

import math

import numpy as np

STEP = 1e-5


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def product(w, v):
    return (w @ v).tolist()


def lstm(x, cont, static, params, h, c, forget_bias=0, only_start=False):
    """(h of every step, [last h, last c]). x T x N x inputs; static N x inputs or None, of the first step alone with
    only_start; h and c N x D."""
    w_x, b, *w_static, w_h = params
    h, c, shown = [list(row) for row in h], [list(row) for row in c], []
    size = len(b) // 4
    for t, (step, flags) in enumerate(zip(x, cont, strict=True)):
        for n, v in enumerate(step):
            z = [p + q for p, q in zip(product(w_x, v), b, strict=True)]
            if w_static and not (only_start and t):
                z = [p + q for p, q in zip(z, product(w_static[0], static[n]), strict=True)]
            z = [p + q for p, q in zip(z, product(w_h, [flags[n] * e for e in h[n]]), strict=True)]
            for d in range(size):
                i, f, o = (sigmoid(z[part * size + d] + forget_bias * (part == 1)) for part in range(3))
                c[n][d] = flags[n] * f * c[n][d] + i * math.tanh(z[3 * size + d])
                h[n][d] = o * math.tanh(c[n][d])
        shown.append([list(row) for row in h])
    return np.array(shown), [np.array(h), np.array(c)]


def rnn(x, cont, static, params, h, only_start=False):
    """(the output of every step, [last h])."""
    w_x, b, *w_static, w_h, w_o, b_o = params
    h, shown = [list(row) for row in h], []
    for t, (step, flags) in enumerate(zip(x, cont, strict=True)):
        for n, v in enumerate(step):
            z = [p + q for p, q in zip(product(w_x, v), b, strict=True)]
            if w_static and not (only_start and t):
                z = [p + q for p, q in zip(z, product(w_static[0], static[n]), strict=True)]
            z = [p + q for p, q in zip(z, product(w_h, [flags[n] * e for e in h[n]]), strict=True)]
            h[n] = [math.tanh(e) for e in z]
        shown.append([[math.tanh(p + q) for p, q in zip(product(w_o, row), b_o, strict=True)] for row in h])
    return np.array(shown), [np.array(h)]


def slopes(function, array):
    """The gradient of function(), a number, by the elements of the array."""
    result = np.zeros(array.shape)
    for at in np.ndindex(array.shape):
        value = array[at]
        array[at] = value + STEP
        above = function()
        array[at] = value - STEP
        result[at] = (above - function()) / (2 * STEP)
        array[at] = value
    return result
