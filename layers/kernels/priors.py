"""Prior boxes of SSD, and boxes as the steps from them.

Boxes are x1 y1 x2 y2 in parts of the image: a width is x2 - x1. The steps are divided by variances.
Source: DecodeBBox and EncodeBBox of the SSD fork of Caffe; Liu et al., SSD (2016), equation 2.
"""

from __future__ import annotations

import numpy as np
from numba import njit

CORNER, CENTER_SIZE, CORNER_SIZE = 1, 2, 3  # the values of PriorBoxParameter.CodeType


@njit(cache=True, error_model="numpy")
def decode(priors, variances, steps, code, result):
    """Write into result (L x P x 4) where the steps (P x L x 4) lead from the priors (P x 4).

    code: CORNER, the steps of the corners; CORNER_SIZE, those in widths and heights of the prior; CENTER_SIZE, the
    step of the centre in widths and heights, and the logarithm of how the size grows.
    """
    half = np.float32(0.5)
    for n in range(steps.shape[0]):
        for label in range(steps.shape[1]):
            for i in range(2):
                low, high = priors[n, i], priors[n, i + 2]
                first = variances[n, i] * steps[n, label, i]
                second = variances[n, i + 2] * steps[n, label, i + 2]
                if code == CORNER:
                    result[label, n, i] = low + first
                    result[label, n, i + 2] = high + second
                elif code == CORNER_SIZE:
                    result[label, n, i] = low + first * (high - low)
                    result[label, n, i + 2] = high + second * (high - low)
                else:
                    centre = first * (high - low) + (low + high) * half
                    reach = half * (np.exp(second) * (high - low))
                    result[label, n, i] = centre - reach
                    result[label, n, i + 2] = centre + reach
