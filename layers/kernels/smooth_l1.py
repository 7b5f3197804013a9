"""Smooth L1: a parabola near 0, slope 1 beyond. All arrays are flat and of one length."""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.shared import share_of, shared


@njit(cache=True, error_model="numpy")
def smooth_l1_sum(pred, target, inside, outside, sigma2):
    """Return the sum of outside * f(inside * (pred - target)).

    f(d) is 0.5 sigma2 d^2 where |d| < 1 / sigma2, and |d| - 0.5 / sigma2 beyond.
    """
    loss = 0.0
    for i in range(pred.size):
        distance = abs(inside[i] * (pred[i] - target[i]))
        if distance < 1.0 / sigma2:
            loss += outside[i] * (0.5 * distance * distance * sigma2)
        else:
            loss += outside[i] * (distance - 0.5 / sigma2)
    return loss


@shared()
def smooth_l1_backward(pred, target, inside, outside, sigma2, scale, diff, part, parts):
    """Write scale times the gradient of `smooth_l1_sum` at pred into diff; at target it is the negative."""
    low, high = share_of(pred.size, part, parts)
    pred, target, inside, outside, diff = (
        pred[low:high],
        target[low:high],
        inside[low:high],
        outside[low:high],
        diff[low:high],
    )
    for i in range(pred.size):
        distance = inside[i] * (pred[i] - target[i])
        slope = sigma2 * distance if abs(distance) < 1.0 / sigma2 else np.sign(distance)
        diff[i] = scale * slope * inside[i] * outside[i]
