"""Greedy non-maximum suppression of scored boxes, by class, under either of the reference's two rules."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels import box_voting as voting
from caffe_compat.layers.kernels import nms as kernels

GPU, CPU = "gpu", "cpu"
RULES = (GPU, CPU)

CLASS, BOX, SCORE = 0, slice(1, 5), 5  # columns of detections, M x 6 float32: class, x1 y1 x2 y2, score


def nms(dets: np.ndarray, thresh: float, rule: str = GPU) -> np.ndarray:
    """The row numbers of those of N boxes of one class (N x 5: x1 y1 x2 y2, score) that stay, the best first.

    A box goes if its intersection over union (float32) with a better box that stays is too large: above thresh,
    rounded to float32, by the rule "gpu", the reference's default; at least thresh, in float64, by the rule "cpu". Of
    two boxes with equal scores the later row is the better one, as in the reference.

    Source: nms/gpu_nms.pyx, py_cpu_nms.py (the same rule) and cpu_nms.pyx of the reference.
    """
    order = np.argsort(dets[:, 4], kind="stable")[::-1]
    keep = np.empty(len(dets), bool)
    kernels.nms(np.ascontiguousarray(dets[order, :4], np.float32), _limit(thresh, rule), keep)
    return order[keep]


def by_class_and_score(dets: np.ndarray) -> np.ndarray:
    """The detections (M x 6) ordered by class, then by descending score; of equal scores the later row comes first."""
    return dets[np.lexsort((-np.arange(len(dets)), -dets[:, SCORE], dets[:, CLASS]))]


def suppress(dets: np.ndarray, thresh: float, rule: str = GPU) -> np.ndarray:
    """The detections (M x 6, in the order of `by_class_and_score`) that `nms` keeps within each class."""
    keep = np.empty(len(dets), bool)
    kernels.nms_groups(np.ascontiguousarray(dets[:, BOX]), _starts(dets), _limit(thresh, rule), keep)
    return dets[keep]


def vote(kept: np.ndarray, dets: np.ndarray, thresh: float) -> np.ndarray:
    """`kept` with each box replaced by the mean of those boxes of its class in `dets` that overlap it, weighted with
    their scores.

    A box overlaps another one from an intersection over union of thresh on. Both arrays are M x 6 in the order of
    `by_class_and_score`, and `kept` is a part of `dets`.

    Source: Gidaris and Komodakis 2015, box voting.
    """
    result = kept.copy()
    for_class = np.searchsorted(dets[:, CLASS], kept[:, CLASS], "left")
    end = np.searchsorted(dets[:, CLASS], kept[:, CLASS], "right")
    boxes = np.empty((len(kept), 4), np.float32)
    voting.vote(
        np.ascontiguousarray(kept[:, BOX]),
        np.ascontiguousarray(dets[:, BOX]),
        np.ascontiguousarray(dets[:, SCORE]),
        for_class,
        end,
        np.float32(thresh),
        boxes,
    )
    result[:, BOX] = boxes
    return result


def _starts(dets: np.ndarray) -> np.ndarray:
    """The rows at which classes begin."""
    return np.flatnonzero(np.diff(dets[:, CLASS], prepend=-1))


def _limit(thresh: float, rule: str) -> np.float32:
    """The float32 that an overlap must exceed to be too large."""
    if rule == GPU:
        return np.float32(thresh)
    if rule == CPU:  # not below thresh is the same as above the last float32 that is below it
        near = np.float32(thresh)
        return near if float(near) < thresh else np.nextafter(near, np.float32(-np.inf))
    raise ValueError(f"the NMS rule is one of {', '.join(RULES)}, not '{rule}'")
