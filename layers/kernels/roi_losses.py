"""What each RoI costs: the loss of its class and of its box."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.shared import share_of, shared

LEAST_PROBABILITY = np.finfo(np.float64).eps


@shared()
def roi_losses(prob, labels, pred, target, inside, outside, loss, part, parts):
    """Write the loss of each RoI into loss (R, float64).

    prob: R x classes; labels: R, int64; the others R x columns. The logarithm and the weighted difference are
    taken in the bottoms' float32, the smooth L1 of the difference and the sums in float64, columns in order.
    """
    for r in range(*share_of(labels.size, part, parts)):
        chance = prob[r, labels[r]]
        total = np.float64(-np.log(LEAST_PROBABILITY) if chance < LEAST_PROBABILITY else -np.log(chance))
        box = 0.0
        if labels[r] > 0:
            for j in range(pred.shape[1]):
                if inside[r, j] != 0:
                    distance = np.float64(abs(inside[r, j] * (pred[r, j] - target[r, j])))
                    robust = 0.5 * distance * distance if distance < 1 else distance - 0.5
                    box += outside[r, j] * robust
        loss[r] = total + box
