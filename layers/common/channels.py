"""Arithmetic with one number a channel, on arrays that are seen as outer x channels x inner.

Kernels do the work, except where a channel's run is a single element: there numpy is faster.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels import channels as kernels

Array = np.ndarray


def affine(
    x: Array,
    scale: Array,
    y: Array,
    centre: Array | None = None,
    bias: Array | None = None,
    kept: Array | None = None,
) -> None:
    """Write (x - centre) * scale + bias into y, which may be x; what is None counts 0. kept: where x is copied to."""
    if x.shape[2] != 1:
        zeros = np.zeros_like(scale)
        centre, bias = (zeros if one is None else one for one in (centre, bias))
        kernels.affine(x, centre, scale, bias, *_keeping(x, kept), y)
        return
    _copy(x, kept)
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


def standardize(
    x: Array, eps: float, y: Array, kept: Array | None, scale: Array | None = None, bias: Array | None = None
) -> tuple[Array, Array, Array]:
    """Return each channel's moments and factor = 1 / sqrt(variance + eps), and write (x - mean) * factor * scale + bias
    into y, which may be x.

    kept: where x is copied to. Without scale and bias these count 1 and 0.
    """
    eps = x.dtype.type(eps)
    if x.shape[2] == 1:
        mean, variance = moments(x)
        factor = 1 / np.sqrt(variance + eps)
        affine(x, factor if scale is None else factor * scale, y, mean, bias, kept)
        return mean, variance, factor
    mean, variance, factor = np.empty((3, x.shape[1]), x.dtype)
    scale = np.ones_like(mean) if scale is None else scale
    bias = np.zeros_like(mean) if bias is None else bias
    kernels.standardize(x, eps, scale, bias, *_keeping(x, kept), mean, variance, factor, y)
    return mean, variance, factor


def sums(diff: Array, x: Array, centre: Array | None = None) -> tuple[Array, Array]:
    """Return each channel's sums of diff, and of diff * (x - centre); without a centre it counts 0."""
    if x.shape[2] == 1:
        shifted = x if centre is None else x - centre[:, None]
        return diff.sum(axis=(0, 2)), np.einsum("nci,nci->c", diff, shifted)
    total, product = np.empty((2, x.shape[1]), x.dtype)
    kernels.sums(diff, x, np.zeros_like(total) if centre is None else centre, total, product)
    return total, product


def standardize_backward(
    x: Array, mean: Array, factor: Array, diff: Array, x_diff: Array | None, scale: Array | None = None
) -> tuple[Array, Array]:
    """Write the gradient of y = (x - mean) * factor * scale at x into x_diff, if that is wanted; it may be diff, the
    gradient at y. Return the channels' sums of diff, and of diff * (x - mean).

    mean: the mean of x. factor: one over x's standard deviation; what is added to that for safety counts as a
    part of it. Without a scale it counts 1.
    """
    if x_diff is None:
        return sums(diff, x, mean)
    scale = np.ones_like(mean) if scale is None else scale
    if x.shape[2] != 1:
        total, product = np.empty((2, x.shape[1]), x.dtype)
        kernels.standardize_backward(x, mean, factor, scale, diff, total, product, x_diff)
        return total, product
    total, product = sums(diff, x, mean)
    diff_scale, count = factor * scale, x.shape[0]
    shifted = (x - mean[:, None]) * (-product * factor**2 * diff_scale / count)[:, None]
    np.multiply(diff, diff_scale[:, None], out=x_diff)
    x_diff += shifted
    x_diff -= (total * diff_scale / count)[:, None]
    return total, product


def scale_backward(x: Array, scale: Array, diff: Array, x_diff: Array | None) -> tuple[Array, Array]:
    """Write diff * scale into x_diff, if that is wanted; it may be diff. Return the channels' sums of diff, and of
    diff * x."""
    if x_diff is not None and x.shape[2] != 1:
        total, product = np.empty((2, x.shape[1]), x.dtype)
        kernels.scale_backward(x, scale, diff, total, product, x_diff)
        return total, product
    found = sums(diff, x)
    if x_diff is not None:
        affine(diff, scale, x_diff)
    return found


def _keeping(x: Array, kept: Array | None) -> tuple[Array, bool]:
    """Two arguments of kernels: where x is copied to, and whether it is."""
    return (x, False) if kept is None else (kept.reshape(x.shape), True)


def _copy(x: Array, kept: Array | None) -> None:
    if kept is not None:
        kept.reshape(x.shape)[...] = x
