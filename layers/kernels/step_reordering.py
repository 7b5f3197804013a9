"""What the step of Permute and its like computes (see engines/fast/steps/reordering.py)."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.addresses import FLOAT, floats, integers
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.step import SIGNATURE, step_at
from caffe_compat.layers.kernels.transpose import transpose
from caffe_compat.layers.kernels.vectors import LANES


@piece()
def _transpose(x, pitch, y, rows, columns):
    """y (rows x columns, LANES at least) = the transpose of x, whose rows lie `pitch` apart; both addresses."""
    sources, targets = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    for column in range(0, columns, LANES):
        first = min(column, columns - LANES)
        for i in range(LANES):
            sources[i] = x + FLOAT * (first + i) * pitch
        for row in range(0, rows, LANES):
            start = min(row, rows - LANES)
            for i in range(LANES):
                targets[i] = y + FLOAT * ((start + i) * columns + first)
            transpose(sources.ctypes.data, start, targets.ctypes.data, 0)


def _permute(pointer, part, parts):
    """top (images x channels x height x width), from numbers that lie `strides` (int64, 4) apart in bottom."""
    s = step_at(pointer)
    rows = s.images * s.channels
    x = floats(s.bottom, s.images * s.channels * s.height * s.width)
    y = floats(s.top, s.images * s.channels * s.height * s.width)
    n, c, down, right = integers(s.strides, 4)
    for row in range(rows * part // parts, rows * (part + 1) // parts):
        base = row // s.channels * n + row % s.channels * c
        place = row * s.height * s.width
        if down == 1 and min(s.height, s.width) >= LANES:
            _transpose(s.bottom + FLOAT * base, right, s.top + FLOAT * place, s.height, s.width)
            continue
        for h in range(s.height):
            for w in range(s.width):
                y[place] = x[base + h * down + w * right]
                place += 1


permute = Callee(SIGNATURE, _permute)
