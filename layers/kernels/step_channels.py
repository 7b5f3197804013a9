"""What the step of layers that work channel by channel computes (see engines/fast/steps/channels.py)."""

from __future__ import annotations

from numba import njit

from caffe_compat.layers.kernels.addresses import floats
from caffe_compat.layers.kernels.bent import bent
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.step import SIGNATURE, step_at


@njit(error_model="numpy", inline="always")
def _rows_of_channels(s, part, parts):
    """What `_channels` does where each channel has one number."""
    shape = s.images, s.channels
    x, y = (
        floats(s.bottom, s.images * s.channels).reshape(shape),
        floats(s.top, s.images * s.channels).reshape(shape),
    )
    other = floats(s.added if s.added else s.bottom, s.images * s.channels).reshape(shape)
    scale, bias, slope = floats(s.scale, s.channels), floats(s.bias, s.channels), floats(s.slope, s.channels)
    for n in range(s.images * part // parts, s.images * (part + 1) // parts):
        if s.added:
            for c in range(s.channels):
                y[n, c] = bent(x[n, c] * scale[c] + bias[c] + other[n, c], slope[c], s.limit)
        else:
            for c in range(s.channels):
                y[n, c] = bent(x[n, c] * scale[c] + bias[c], slope[c], s.limit)


@piece()
def _change(x, factor, term, slope, limit):
    """In place: a loop over one array becomes vectors; over two that may overlap it would not."""
    for i in range(len(x)):
        x[i] = bent(x[i] * factor + term, slope, limit)


@njit(error_model="numpy", inline="always")
def _planes_of_channels(s, part, parts):
    planes = s.images * s.channels
    x = floats(s.bottom, planes * s.width).reshape(planes, s.width)
    y = floats(s.top, planes * s.width).reshape(planes, s.width)
    other = floats(s.added if s.added else s.bottom, planes * s.width).reshape(planes, s.width)
    scale, bias, slope = floats(s.scale, s.channels), floats(s.bias, s.channels), floats(s.slope, s.channels)
    for p in range(planes * part // parts, planes * (part + 1) // parts):
        c = p % s.channels
        factor, term, below, source, more, out = scale[c], bias[c], slope[c], x[p], other[p], y[p]
        if s.added:
            for i in range(len(out)):
                out[i] = bent(source[i] * factor + term + more[i], below, s.limit)
        elif s.bottom == s.top:
            _change(out, factor, term, below, s.limit)
        else:
            for i in range(len(out)):
                out[i] = bent(source[i] * factor + term, below, s.limit)


def _channels(pointer, part, parts):
    """top = f(bottom * scale + bias + added), images x channels x width, with one of each a channel; added may be 0."""
    s = step_at(pointer)
    if s.width == 1:
        _rows_of_channels(s, part, parts)
    else:
        _planes_of_channels(s, part, parts)


channels = Callee(SIGNATURE, _channels)
