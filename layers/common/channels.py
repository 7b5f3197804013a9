"""Arithmetic with one number a channel, on arrays that are seen as outer x channels x inner.

Kernels do the work, except where a channel's run is a single element: there numpy is faster.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels import channels as kernels

Array = np.ndarray


def affine(x: Array, scale: Array, y: Array, centre: Array | None = None, bias: Array | None = None) -> None:
    """Write (x - centre) * scale + bias into y, which may be x; what is None counts 0."""
    if x.shape[2] != 1:
        zeros = np.zeros_like(scale)
        kernels.affine(x, zeros if centre is None else centre, scale, zeros if bias is None else bias, y)
        return
    if centre is not None:
        x = np.subtract(x, centre[:, None], out=y)
    np.multiply(x, scale[:, None], out=y)
    if bias is not None:
        y += bias[:, None]


def moments(x: Array) -> tuple[Array, Array]:
    """Return each channel's mean, and its mean square distance from that."""
    if x.shape[2] == 1:
        return x.mean(axis=(0, 2)), x.var(axis=(0, 2))
    mean, variance = np.empty((2, x.shape[1]), x.dtype)
    kernels.moments(x, mean, variance)
    return mean, variance


def sums(diff: Array, x: Array, centre: Array | None = None) -> tuple[Array, Array]:
    """Return each channel's sums of diff, and of diff * (x - centre); without a centre it counts 0."""
    if x.shape[2] == 1:
        shifted = x if centre is None else x - centre[:, None]
        return diff.sum(axis=(0, 2)), np.einsum("nci,nci->c", diff, shifted)
    total, product = np.empty((2, x.shape[1]), x.dtype)
    kernels.sums(diff, x, np.zeros_like(total) if centre is None else centre, total, product)
    return total, product


def standardize_backward(x: Array, mean: Array, factor: Array, diff: Array, x_diff: Array) -> None:
    """Write the gradient of y = (x - mean) * factor at x into x_diff, which may be diff, the gradient at y.

    mean: the mean of x. factor: one over x's standard deviation; what is added to that for safety counts as a
    part of it.
    """
    count = x.shape[0] * x.shape[2]
    total, product = sums(diff, x, mean)
    x_scale, bias = -product * factor**3 / count, -total * factor / count
    if x.shape[2] != 1:
        kernels.combine(diff, x, mean, factor, x_scale, bias, x_diff)
        return
    shifted = (x - mean[:, None]) * x_scale[:, None]
    np.multiply(diff, factor[:, None], out=x_diff)
    x_diff += shifted
    x_diff += bias[:, None]
