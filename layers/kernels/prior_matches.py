"""Which prior boxes stand for which objects."""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.boxes import iou_of_parts

NOTHING, IGNORED = -1, -2
LEAST = 1e-6  # an overlap that is not more is none


@njit(cache=True, error_model="numpy")
def overlaps_of_parts(boxes, objects, result):
    """IoU of each of the boxes (P x 4) with each of the objects (G x 4), in normalized coordinates: result[p, g]."""
    for p in range(len(boxes)):
        for g in range(len(objects)):
            result[p, g] = iou_of_parts(boxes, p, objects, g)
            if not result[p, g] > LEAST:
                result[p, g] = 0


@njit(cache=True, error_model="numpy")
def match(overlaps, threshold, result):
    """Write into result (P int64) the object of each box, by their overlaps (P x G); rows that are IGNORED stay so.

    First each object takes a box that overlaps it, in the order of the greatest overlap of all that are left. Then
    each box left over takes the object it overlaps most, where that is threshold or more.
    Source: MatchBBox of the SSD fork of Caffe; Liu et al., SSD (2016), section 2.2.
    """
    taken = np.zeros(overlaps.shape[1], np.bool_)
    for _ in range(len(taken)):
        box, thing, most = -1, -1, 0.0
        for p in range(len(result)):
            if result[p] == NOTHING:
                for g in range(len(taken)):
                    if overlaps[p, g] > most and not taken[g]:
                        box, thing, most = p, g, overlaps[p, g]
        if box < 0:
            break
        result[box], taken[thing] = thing, True
    for p in range(len(result)):
        if result[p] == NOTHING:
            most = 0.0
            for g in range(len(taken)):
                if overlaps[p, g] >= threshold and overlaps[p, g] > most:
                    result[p], most = g, overlaps[p, g]
