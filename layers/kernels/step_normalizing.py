"""What the steps of LRN and Softmax compute (see engines/fast/steps/normalizing.py)."""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.addresses import floats
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


@njit(error_model="numpy", inline="always")
def _subtract_greatest(x, y):
    """y (images x classes x inner) = x less the greatest of its classes."""
    images, classes, inner = x.shape
    for i in range(images):
        for k in range(inner):
            greatest = x[i, 0, k]
            for c in range(1, classes):
                greatest = max(greatest, x[i, c, k])
            for c in range(classes):
                y[i, c, k] = x[i, c, k] - greatest


@njit(error_model="numpy", inline="always")
def _divide_by_sums(y):
    images, classes, inner = y.shape
    for i in range(images):
        for k in range(inner):
            total = np.float32(0)
            for c in range(classes):
                total += y[i, c, k]
            share = np.float32(1) / total
            for c in range(classes):
                y[i, c, k] *= share


def _softmax(pointer, part, parts):
    """Over the channels of images x channels x width."""
    s = step_at(pointer)
    shape = s.images, s.channels, s.width
    low, high = s.images * part // parts, s.images * (part + 1) // parts
    x = floats(s.bottom, s.images * s.channels * s.width).reshape(shape)[low:high]
    y = floats(s.top, s.images * s.channels * s.width).reshape(shape)[low:high]
    _subtract_greatest(x, y)
    powers = y.reshape(-1)
    for i in range(len(powers)):
        powers[i] = exponential(powers[i])
    _divide_by_sums(y)


softmax = Callee(SIGNATURE, _softmax)
