"""The cross entropy of logistic functions and targets. All arrays are flat and of one length."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from caffe_compat.layers.kernels.shared import share_of, shared


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


@shared()
def sigmoid_loss_backward(power, target, has_ignored, ignored, scale, x_diff, part, parts):
    """Write scale * (sigmoid - target) into x_diff, 0 where the target is ignored. power: exp(-x)."""
    low, high = share_of(power.size, part, parts)
    power, target, x_diff = power[low:high], target[low:high], x_diff[low:high]
    for i in range(power.size):
        slope = np.float32(1) / (np.float32(1) + power[i]) - target[i]
        x_diff[i] = np.float32(0) if has_ignored and int(target[i]) == ignored else scale * slope
