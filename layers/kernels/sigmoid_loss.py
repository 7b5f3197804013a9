"""The cross entropy of logistic functions and targets. All arrays are flat and of one length."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True, error_model="numpy", parallel=True)
def sigmoid_loss(x, target, logs, has_ignored, ignored):
    """Return the sum of the losses of targets whose whole part is not `ignored`, and their number.

    logs: log(1 + exp(-|x|)).
    """
    loss, count = 0.0, 0
    for i in prange(x.size):
        if not (has_ignored and int(target[i]) == ignored):
            loss += max(x[i], np.float32(0)) - x[i] * target[i] + logs[i]
            count += 1
    return loss, count


@njit(cache=True, error_model="numpy", parallel=True)
def sigmoid_loss_backward(power, target, has_ignored, ignored, scale, x_diff):
    """Write scale * (sigmoid - target) into x_diff, 0 where the target is ignored. power: exp(-x)."""
    for i in prange(power.size):
        slope = np.float32(1) / (np.float32(1) + power[i]) - target[i]
        x_diff[i] = np.float32(0) if has_ignored and int(target[i]) == ignored else scale * slope
