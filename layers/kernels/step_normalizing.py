"""What the steps of LRN and Softmax compute (see engines/fast/steps/normalizing.py)."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.addresses import FLOAT, floats
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.exponential import exponential
from caffe_compat.layers.kernels.lrn import across_block, across_blocks
from caffe_compat.layers.kernels.step import SIGNATURE, step_at


def _lrn(pointer, part, parts):
    """Across `local_size` channels."""
    s = step_at(pointer)
    shape = s.images, s.channels, s.width
    x = floats(s.bottom, s.images * s.channels * s.width).reshape(shape)
    y = floats(s.top, s.images * s.channels * s.width).reshape(shape)
    blocks = across_blocks(x)
    for job in range(blocks * part // parts, blocks * (part + 1) // parts):
        across_block(x, s.local_size, s.alpha, s.beta, s.k, job, y)


lrn = Callee(SIGNATURE, _lrn)


def _softmax(pointer, part, parts):
    """Over the channels of images x channels x width."""
    s = step_at(pointer)
    size = s.channels * s.width
    for n in range(s.images * part // parts, s.images * (part + 1) // parts):
        x, y = floats(s.bottom + FLOAT * n * size, size), floats(s.top + FLOAT * n * size, size)
        for k in range(s.width):
            greatest = x[k]
            for i in range(k, size, s.width):
                greatest = max(greatest, x[i])
            for i in range(k, size, s.width):
                y[i] = x[i] - greatest
        for i in range(size):
            y[i] = exponential(y[i])
        for k in range(s.width):
            total = np.float32(0)
            for i in range(k, size, s.width):
                total += y[i]
            share = np.float32(1) / total
            for i in range(k, size, s.width):
                y[i] *= share


softmax = Callee(SIGNATURE, _softmax)
