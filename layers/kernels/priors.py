"""Prior boxes of SSD, and boxes as the deltas from them.

Boxes are x1 y1 x2 y2 in normalized coordinates: a width is x2 - x1. The deltas are divided by variances.
Source: DecodeBBox and EncodeBBox of the SSD fork of Caffe; Liu et al., SSD (2016), equation 2.
"""

from __future__ import annotations

import numpy as np
from numba import njit

CORNER, CENTER_SIZE, CORNER_SIZE = 1, 2, 3  # the values of PriorBoxParameter.CodeType


@njit(cache=True, error_model="numpy")
def decode(priors, variances, deltas, code, result):
    """Write into result where the deltas lead from the priors; all are M x 4.

    code: CORNER, the deltas of the corners; CORNER_SIZE, those in widths and heights of the prior; CENTER_SIZE, the
    delta of the centre in widths and heights, and the logarithm of how the size grows.
    """
    half = np.float32(0.5)
    for n in range(len(priors)):
        for i in range(2):
            low, high = priors[n, i], priors[n, i + 2]
            first, second = variances[n, i] * deltas[n, i], variances[n, i + 2] * deltas[n, i + 2]
            if code == CENTER_SIZE:
                centre = first * (high - low) + (low + high) * half
                reach = half * (np.exp(second) * (high - low))
                result[n, i] = centre - reach
                result[n, i + 2] = centre + reach
            else:
                if code == CORNER_SIZE:
                    first, second = first * (high - low), second * (high - low)
                result[n, i] = low + first
                result[n, i + 2] = high + second


@njit(cache=True, error_model="numpy")
def encode(priors, variances, gt_boxes, code, result):
    """Write into result (M x 4) the deltas that lead from each of the priors to its goal; all are M x 4."""
    half = np.float32(0.5)
    for n in range(len(priors)):
        for i in range(2):
            low, high = priors[n, i], priors[n, i + 2]
            first, second = gt_boxes[n, i] - low, gt_boxes[n, i + 2] - high
            if code == CORNER_SIZE:
                first, second = first / (high - low), second / (high - low)
            elif code == CENTER_SIZE:
                first = ((gt_boxes[n, i] + gt_boxes[n, i + 2]) * half - (low + high) * half) / (high - low)
                second = np.log((gt_boxes[n, i + 2] - gt_boxes[n, i]) / (high - low))
            result[n, i] = first / variances[n, i]
            result[n, i + 2] = second / variances[n, i + 2]
