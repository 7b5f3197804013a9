"""One step of an LSTM, element by element.

Arrays, N x D: c_prev, c and h, the cells before and after the step and what they show; N x 4 D: the gates, in four
parts: input, forget, output, and the candidate; N: cont, 0 where a sequence begins, else 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from caffe_compat.layers.kernels.functions import Functions
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared


@piece()
def _sigmoid(x):
    return np.float32(1) / (np.float32(1) + np.exp(-x))


@shared()
def _forward(c_prev, x, cont, gates, c, h, part, parts):
    size = c.shape[1]
    for n in range(*share_of(len(c), part, parts)):
        for d in range(size):
            i, f = _sigmoid(x[n, d]), _sigmoid(x[n, size + d])
            o, g = _sigmoid(x[n, 2 * size + d]), np.tanh(x[n, 3 * size + d])
            gates[n, d], gates[n, size + d], gates[n, 2 * size + d], gates[n, 3 * size + d] = i, f, o, g
            c[n, d] = cont[n] * f * c_prev[n, d] + i * g
            h[n, d] = o * np.tanh(c[n, d])


def _emit(typingctx, c_prev, x, cont, gates, c, h, size):
    """Emit the loop over numbers (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        v, word, size = Functions(builder), ir.IntType(64), args[6]
        c_prev, x, gates, c, h = (v.pointer(args[k]) for k in (0, 1, 3, 4, 5))
        cont = v.spread(args[2])

        def step(begin: ir.Value, mask: ir.Value | None) -> None:
            places = [builder.add(begin, builder.mul(size, word(k))) for k in range(4)]
            functions = (v.sigmoid, v.sigmoid, v.sigmoid, v.tanh)
            i, f, o, g = values = [
                function(v.read(x, place, mask)) for function, place in zip(functions, places, strict=True)
            ]
            for value, place in zip(values, places, strict=True):
                v.write(value, gates, place, mask)
            kept = builder.fmul(builder.fmul(cont, f), v.read(c_prev, begin, mask))
            cell = builder.fadd(kept, builder.fmul(i, g))
            v.write(cell, c, begin, mask)
            v.write(builder.fmul(o, v.tanh(cell)), h, begin, mask)

        v.each(size, step)
        return context.get_dummy_value()

    i64 = types.int64
    return types.void(i64, i64, types.float32, i64, i64, i64, i64), codegen


_row: Any = intrinsic(_emit)


@shared()
def _forward_by_vectors(c_prev, x, cont, gates, c, h, part, parts):
    for n in range(*share_of(len(c), part, parts)):
        arrays = gates[n].ctypes.data, c[n].ctypes.data, h[n].ctypes.data
        _row(c_prev[n].ctypes.data, x[n].ctypes.data, cont[n], *arrays, c.shape[1])


def forward(
    c_prev: np.ndarray, x: np.ndarray, cont: np.ndarray, gates: np.ndarray, c: np.ndarray, h: np.ndarray
) -> None:
    """gates = the activations of x, which may be the same array; c = forget c_prev + input candidate; h.

    Rows are contiguous.
    """
    kernel = _forward_by_vectors if c.dtype == np.float32 else _forward
    kernel(c_prev, x, cont, gates, c, h)


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
