"""What the step of a Pooling with few large windows computes (see engines/fast/steps/pooling.py)."""

from __future__ import annotations

from numba import njit

from caffe_compat.layers.kernels.addresses import FLOAT, floats, integers
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.pool_averages import average_of_plane
from caffe_compat.layers.kernels.pool_maxima import max_of_plane
from caffe_compat.layers.kernels.step import SIGNATURE, step_at


@njit(error_model="numpy", inline="always")
def _plane(s, p):
    """Plane p of the bottom, and of the top."""
    area, pixels = s.out_height * s.out_width, s.height * s.width
    bottom, top = floats(s.bottom + FLOAT * p * pixels, pixels), floats(s.top + FLOAT * p * area, area)
    return bottom.reshape(s.height, s.width), top.reshape(s.out_height, s.out_width)


def _maxima(pointer, part, parts):
    """Maxima over the `windows` (int64, 2 x 3: see pool_windows.py) of `images` planes."""
    s = step_at(pointer)
    for p in range(s.images * part // parts, s.images * (part + 1) // parts):
        bottom, top = _plane(s, p)
        max_of_plane(bottom, integers(s.windows, 6).reshape(2, 3), top)


def _averages(pointer, part, parts):
    """Averages likewise."""
    s = step_at(pointer)
    for p in range(s.images * part // parts, s.images * (part + 1) // parts):
        bottom, top = _plane(s, p)
        average_of_plane(bottom, integers(s.windows, 6).reshape(2, 3), top)


maxima, averages = Callee(SIGNATURE, _maxima), Callee(SIGNATURE, _averages)
