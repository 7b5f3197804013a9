"""Softmax and its loss. Arrays are outer x classes x inner, labels outer x inner (-1: ignored)."""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.shared import share_of, shared


@shared()
def softmax(x, y, part, parts):
    """Write the softmax over axis 1 of x into y (may be x)."""
    outer, classes, inner = x.shape
    for i in range(*share_of(outer, part, parts)):
        for k in range(inner):
            greatest = x[i, 0, k]
            for c in range(1, classes):
                greatest = max(greatest, x[i, c, k])
            total = 0.0
            for c in range(classes):
                power = np.exp(x[i, c, k] - greatest)
                total += power
                y[i, c, k] = power
            for c in range(classes):
                y[i, c, k] /= total


@shared()
def softmax_backward(y, y_diff, x_diff, part, parts):
    """Write the gradient at the input into x_diff (may be y_diff), from the output y and its gradient."""
    outer, classes, inner = y.shape
    for i in range(*share_of(outer, part, parts)):
        for k in range(inner):
            dot = 0.0
            for c in range(classes):
                dot += y[i, c, k] * y_diff[i, c, k]
            for c in range(classes):
                x_diff[i, c, k] = y[i, c, k] * (y_diff[i, c, k] - dot)


@njit(cache=True, error_model="numpy")
def log_loss(prob, labels, least):
    """Return the sum of -log(probability of the label), probabilities below `least` counting as `least`."""
    loss = 0.0
    for i in range(labels.shape[0]):
        for k in range(labels.shape[1]):
            if labels[i, k] >= 0:
                loss -= np.log(max(prob[i, labels[i, k], k], least))
    return loss


@shared()
def softmax_loss_backward(prob, labels, scale, x_diff, part, parts):
    """Write scale * (prob - [class is the label]) into x_diff, 0 where the label is ignored."""
    outer, classes, inner = prob.shape
    for i in range(*share_of(outer, part, parts)):
        for c in range(classes):
            for k in range(inner):
                hit = prob.dtype.type(labels[i, k] == c)
                x_diff[i, c, k] = scale * (prob[i, c, k] - hit) if labels[i, k] >= 0 else 0
