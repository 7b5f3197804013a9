"""What the step of a Deconvolution computes behind its convolution (see engines/fast/steps/expanding.py)."""

from __future__ import annotations

from numba import njit

from caffe_compat.layers.kernels.addresses import FLOAT, floats, integers
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.interleave import interleave
from caffe_compat.layers.kernels.step import SIGNATURE, step_at


@njit(error_model="numpy", inline="always")
def _source(s, plane, phase, x):
    """What pixels of a row come from, stride_w apart from x on: the phase of this column's channel."""
    column = x + phase
    area = s.height * s.width
    place = plane + FLOAT * (column % s.stride_w * area + column // s.stride_w)
    return floats(place, -(-(s.out_width - x) // s.stride_w))


@njit(error_model="numpy", inline="always")
def _row(s, plane, cut, out):
    """One row of the top from the rows of its channels: `plane` is the address of the first one's."""
    if s.stride_w == 2:
        interleave(_source(s, plane, cut, 0), _source(s, plane, cut, 1), out)
        return
    for first in range(min(s.stride_w, s.out_width)):
        source = _source(s, plane, cut, first)
        for x in range(len(source)):
            out[first + x * s.stride_w] = source[x]


def _expand(pointer, part, parts):
    """top (images x channels x out_height x out_width) = the pixels of `bottom`.

    bottom: images x (channels x stride_h x stride_w) x height x width, the pixels of each stride together. starts
    (int64, 2): rows and columns of the first stride that are not in the top.
    """
    s = step_at(pointer)
    cut, area = integers(s.starts, 2), s.height * s.width
    for plane in range(s.images * s.channels * part // parts, s.images * s.channels * (part + 1) // parts):
        for y in range(s.out_height):
            line = y + cut[0]
            number = (plane * s.stride_h + line % s.stride_h) * s.stride_w
            source = s.bottom + FLOAT * (number * area + line // s.stride_h * s.width)
            out = floats(s.top + FLOAT * (plane * s.out_height + y) * s.out_width, s.out_width)
            _row(s, source, cut[1], out)


expand = Callee(SIGNATURE, _expand)
