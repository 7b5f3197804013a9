"""What the step of Permute and its like computes (see engines/fast/steps/reordering.py)."""

from __future__ import annotations

from caffe_compat.layers.kernels.addresses import floats, integers
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.step import SIGNATURE, step_at


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
        for h in range(s.height):
            for w in range(s.width):
                y[place] = x[base + h * down + w * right]
                place += 1


permute = Callee(SIGNATURE, _permute)
