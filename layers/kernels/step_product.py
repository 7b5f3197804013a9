"""What the step of an InnerProduct computes (see engines/fast/steps/product.py)."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.addresses import FLOAT, floats
from caffe_compat.layers.kernels.bent import bent
from caffe_compat.layers.kernels.blas import dot
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.step import SIGNATURE, step_at

ROWS = 4  # rows that are multiplied with one row of weights at a time


@piece(fastmath={"reassoc", "contract", "nsz"})
def _dots(x0, x1, x2, x3, w):
    a, b, c, d = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for k in range(len(w)):
        a += x0[k] * w[k]
        b += x1[k] * w[k]
        c += x2[k] * w[k]
        d += x3[k] * w[k]
    return a, b, c, d


def _product(pointer, part, parts):
    """top (images x outputs) = f(bottom (images x depth) filters^T (outputs x depth) * scale + bias)."""
    s = step_at(pointer)
    x, y = s.bottom, floats(s.top, s.images * s.outputs)
    scale, bias, slope = floats(s.scale, s.outputs), floats(s.bias, s.outputs), floats(s.slope, s.outputs)
    row, four = FLOAT * s.depth, s.images // ROWS * ROWS
    for j in range(s.outputs * part // parts, s.outputs * (part + 1) // parts):
        w = floats(s.filters + j * row, s.depth)
        for i in range(0, four, ROWS):
            place = x + i * row
            sums = _dots(
                floats(place, s.depth), floats(place + row, s.depth), floats(place + 2 * row, s.depth),
                floats(place + 3 * row, s.depth), w,
            )  # fmt: skip
            for k in range(ROWS):
                y[(i + k) * s.outputs + j] = sums[k]
        for i in range(four, s.images):
            y[i * s.outputs + j] = dot(floats(x + i * row, s.depth), w)
        for i in range(j, len(y), s.outputs):
            y[i] = bent(y[i] * scale[j] + bias[j], slope[j], s.limit)


product = Callee(SIGNATURE, _product)
