"""The information gain loss. Arrays are outer x classes x inner, labels outer x inner (-1: ignored)."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from caffe_compat.layers.kernels.shared import share_of, shared


@njit(cache=True, error_model="numpy", parallel=True)
def infogain_loss(prob, labels, gains, least):
    """Return minus the sum of gains[label, c] * log(prob), probabilities below `least` counting as `least`."""
    outer, classes, inner = prob.shape
    loss = 0.0
    for i in prange(outer):
        for c in range(classes):
            for k in range(inner):
                gain = gains[labels[i, k], c] if labels[i, k] >= 0 else gains.dtype.type(0)
                if gain != 0:
                    loss -= gain * np.log(max(prob[i, c, k], least))
    return loss


@shared()
def infogain_backward(prob, labels, gains, least, scale, x_diff, part, parts):
    """Write scale * gains[label, c] / prob into x_diff, 0 where the label is ignored."""
    outer, classes, inner = prob.shape
    for i in range(*share_of(outer, part, parts)):
        for c in range(classes):
            for k in range(inner):
                gain = gains[labels[i, k], c] if labels[i, k] >= 0 else gains.dtype.type(0)
                x_diff[i, c, k] = scale * gain / max(prob[i, c, k], least)


@shared()
def infogain_of_scores_backward(prob, labels, gains, scale, x_diff, part, parts):
    """Write scale * (gains[label, c] - prob * the sum of gains[label]) into x_diff: prob is the softmax of x."""
    outer, classes, inner = prob.shape
    for i in range(*share_of(outer, part, parts)):
        for k in range(inner):
            label = labels[i, k]
            total = gains.dtype.type(0)
            for c in range(classes):
                total += gains[label, c] if label >= 0 else gains.dtype.type(0)
            for c in range(classes):
                gain = gains[label, c] if label >= 0 else gains.dtype.type(0)
                x_diff[i, c, k] = scale * (gain - prob[i, c, k] * total)
