"""Functions of one element at a time, over flat arrays; the output may be the input."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.shared import share_of, shared


@shared()
def relu(x, slope, y, part, parts):
    low, high = share_of(x.size, part, parts)
    x, y = x[low:high], y[low:high]
    for i in range(x.size):
        y[i] = max(x[i], np.float32(0)) + slope * min(x[i], np.float32(0))


@shared()
def relu_backward(x, y_diff, slope, x_diff, part, parts):
    low, high = share_of(x.size, part, parts)
    x, y_diff, x_diff = x[low:high], y_diff[low:high], x_diff[low:high]
    for i in range(x.size):
        x_diff[i] = y_diff[i] if x[i] > np.float32(0) else slope * y_diff[i]


@shared()
def scale_kept(x, keep, scale, y, part, parts):
    """Write scale * x where keep is 1, 0 where it is 0 (uint8: loops over bools are not vectorised)."""
    low, high = share_of(x.size, part, parts)
    x, keep, y = x[low:high], keep[low:high], y[low:high]
    for i in range(x.size):
        y[i] = x[i] * (scale if keep[i] else np.float32(0))


@shared()
def sigmoid(x, y, part, parts):
    low, high = share_of(x.size, part, parts)
    x, y = x[low:high], y[low:high]
    for i in range(x.size):
        y[i] = np.float32(1) / (np.float32(1) + np.exp(-x[i]))


@shared()
def sigmoid_backward(y, y_diff, x_diff, part, parts):
    low, high = share_of(y.size, part, parts)
    y, y_diff, x_diff = y[low:high], y_diff[low:high], x_diff[low:high]
    for i in range(y.size):
        x_diff[i] = y_diff[i] * y[i] * (np.float32(1) - y[i])


@shared()
def tanh(x, y, part, parts):
    low, high = share_of(x.size, part, parts)
    x, y = x[low:high], y[low:high]
    for i in range(x.size):
        y[i] = np.tanh(x[i])


@shared()
def tanh_backward(y, y_diff, x_diff, part, parts):
    low, high = share_of(y.size, part, parts)
    y, y_diff, x_diff = y[low:high], y_diff[low:high], x_diff[low:high]
    for i in range(y.size):
        x_diff[i] = y_diff[i] * (np.float32(1) - y[i] * y[i])


@shared()
def add_positive(x, y, part, parts):
    """Add max(x, 0) to y."""
    low, high = share_of(x.size, part, parts)
    x, y = x[low:high], y[low:high]
    for i in range(x.size):
        y[i] += max(x[i], np.float32(0))


@shared()
def bnll_backward(power, y_diff, x_diff, part, parts):
    """power: exp(-x)."""
    low, high = share_of(power.size, part, parts)
    power, y_diff, x_diff = power[low:high], y_diff[low:high], x_diff[low:high]
    for i in range(power.size):
        x_diff[i] = y_diff[i] / (np.float32(1) + power[i])


@shared()
def clip_backward(x, y_diff, low, high, x_diff, part, parts):
    begin, end = share_of(x.size, part, parts)
    x, y_diff, x_diff = x[begin:end], y_diff[begin:end], x_diff[begin:end]
    for i in range(x.size):
        x_diff[i] = y_diff[i] if low <= x[i] <= high else np.float32(0)


@shared()
def elu(x, power, alpha, y, part, parts):
    """power: exp(min(x, 0))."""
    low, high = share_of(x.size, part, parts)
    x, power, y = x[low:high], power[low:high], y[low:high]
    for i in range(x.size):
        y[i] = max(x[i], np.float32(0)) + alpha * (power[i] - np.float32(1))


@shared()
def elu_backward(x, y, y_diff, alpha, x_diff, part, parts):
    low, high = share_of(x.size, part, parts)
    x, y, y_diff, x_diff = x[low:high], y[low:high], y_diff[low:high], x_diff[low:high]
    for i in range(x.size):
        x_diff[i] = y_diff[i] if x[i] > np.float32(0) else y_diff[i] * (alpha + y[i])


@shared()
def swish(x, y, part, parts):
    """Write x / (1 + y) into y, which holds exp(-beta * x)."""
    low, high = share_of(x.size, part, parts)
    x, y = x[low:high], y[low:high]
    for i in range(x.size):
        y[i] = x[i] / (np.float32(1) + y[i])


@shared()
def swish_backward(x, power, y_diff, beta, x_diff, part, parts):
    """power: exp(-beta * x)."""
    low, high = share_of(x.size, part, parts)
    x, power, y_diff, x_diff = x[low:high], power[low:high], y_diff[low:high], x_diff[low:high]
    for i in range(x.size):
        s = np.float32(1) / (np.float32(1) + power[i])
        x_diff[i] = y_diff[i] * s * (np.float32(1) + beta * x[i] * (np.float32(1) - s))


@shared()
def log_backward(x, y_diff, scale, shift, factor, x_diff, part, parts):
    """Write factor * y_diff / (scale * x + shift) into x_diff."""
    low, high = share_of(x.size, part, parts)
    x, y_diff, x_diff = x[low:high], y_diff[low:high], x_diff[low:high]
    for i in range(x.size):
        x_diff[i] = factor * y_diff[i] / (scale * x[i] + shift)
