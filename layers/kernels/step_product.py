"""What the step of an InnerProduct computes (see engines/fast/steps/product.py)."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.addresses import floats
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
    x = floats(s.bottom, s.images * s.depth).reshape(s.images, s.depth)
    w = floats(s.filters, s.outputs * s.depth).reshape(s.outputs, s.depth)
    y = floats(s.top, s.images * s.outputs).reshape(s.images, s.outputs)
    scale, bias, slope = floats(s.scale, s.outputs), floats(s.bias, s.outputs), floats(s.slope, s.outputs)
    four = s.images // ROWS * ROWS
    for j in range(s.outputs * part // parts, s.outputs * (part + 1) // parts):
        for i in range(0, four, ROWS):
            y[i, j], y[i + 1, j], y[i + 2, j], y[i + 3, j] = _dots(x[i], x[i + 1], x[i + 2], x[i + 3], w[j])
        for i in range(four, s.images):
            y[i, j] = dot(x[i], w[j])
        for i in range(s.images):
            y[i, j] = bent(y[i, j] * scale[j] + bias[j], slope[j], s.limit)


product = Callee(SIGNATURE, _product)
