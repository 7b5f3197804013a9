"""Functions of one element at a time, over flat arrays; the output may be the input."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True, error_model="numpy", parallel=True)
def relu(x, slope, y):
    for i in prange(x.size):
        y[i] = max(x[i], np.float32(0)) + slope * min(x[i], np.float32(0))


@njit(cache=True, error_model="numpy", parallel=True)
def relu_backward(x, y_diff, slope, x_diff):
    for i in prange(x.size):
        x_diff[i] = y_diff[i] if x[i] > np.float32(0) else slope * y_diff[i]


@njit(cache=True, error_model="numpy", parallel=True)
def relu_backward_in_place(x, slope, diff):
    """relu_backward where both gradients are one array: a loop over two that may overlap is not vectorised."""
    for i in prange(x.size):
        diff[i] = diff[i] if x[i] > np.float32(0) else slope * diff[i]


@njit(cache=True, error_model="numpy", parallel=True)
def scale_kept(x, keep, scale, y):
    """Write scale * x where keep is 1, 0 where it is 0 (uint8: loops over bools are not vectorised)."""
    for i in prange(x.size):
        y[i] = x[i] * (scale if keep[i] else np.float32(0))


@njit(cache=True, error_model="numpy", parallel=True)
def sigmoid(x, y):
    for i in prange(x.size):
        y[i] = np.float32(1) / (np.float32(1) + np.exp(-x[i]))


@njit(cache=True, error_model="numpy", parallel=True)
def sigmoid_backward(y, y_diff, x_diff):
    for i in prange(y.size):
        x_diff[i] = y_diff[i] * y[i] * (np.float32(1) - y[i])


@njit(cache=True, error_model="numpy", parallel=True)
def tanh(x, y):
    for i in prange(x.size):
        y[i] = np.tanh(x[i])


@njit(cache=True, error_model="numpy", parallel=True)
def tanh_backward(y, y_diff, x_diff):
    for i in prange(y.size):
        x_diff[i] = y_diff[i] * (np.float32(1) - y[i] * y[i])


@njit(cache=True, error_model="numpy", parallel=True)
def add_positive(x, y):
    """Add max(x, 0) to y."""
    for i in prange(x.size):
        y[i] += max(x[i], np.float32(0))


@njit(cache=True, error_model="numpy", parallel=True)
def bnll_backward(power, y_diff, x_diff):
    """power: exp(-x)."""
    for i in prange(power.size):
        x_diff[i] = y_diff[i] / (np.float32(1) + power[i])


@njit(cache=True, error_model="numpy", parallel=True)
def clip_backward(x, y_diff, low, high, x_diff):
    for i in prange(x.size):
        x_diff[i] = y_diff[i] if low <= x[i] <= high else np.float32(0)


@njit(cache=True, error_model="numpy", parallel=True)
def elu(x, power, alpha, y):
    """power: exp(min(x, 0))."""
    for i in prange(x.size):
        y[i] = max(x[i], np.float32(0)) + alpha * (power[i] - np.float32(1))


@njit(cache=True, error_model="numpy", parallel=True)
def elu_backward(x, y, y_diff, alpha, x_diff):
    for i in prange(x.size):
        x_diff[i] = y_diff[i] if x[i] > np.float32(0) else y_diff[i] * (alpha + y[i])


@njit(cache=True, error_model="numpy", parallel=True)
def swish(x, y):
    """Write x / (1 + y) into y, which holds exp(-beta * x)."""
    for i in prange(x.size):
        y[i] = x[i] / (np.float32(1) + y[i])


@njit(cache=True, error_model="numpy", parallel=True)
def swish_backward(x, power, y_diff, beta, x_diff):
    """power: exp(-beta * x)."""
    for i in prange(x.size):
        s = np.float32(1) / (np.float32(1) + power[i])
        x_diff[i] = y_diff[i] * s * (np.float32(1) + beta * x[i] * (np.float32(1) - s))


@njit(cache=True, error_model="numpy", parallel=True)
def log_backward(x, y_diff, scale, shift, factor, x_diff):
    """Write factor * y_diff / (scale * x + shift) into x_diff."""
    for i in prange(x.size):
        x_diff[i] = factor * y_diff[i] / (scale * x[i] + shift)
