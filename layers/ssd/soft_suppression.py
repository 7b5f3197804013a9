"""Soft non-maximum suppression of boxes, as DeepDetect's Caffe has it."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.nms import overlap_of_parts


def soft_suppression(
    boxes: np.ndarray, scores: np.ndarray, threshold: np.floating, eta: np.floating, theta: float
) -> list[int]:
    """Which of the boxes (n x 4 in normalized coordinates, best first) stay, in the order in which they were taken.

    The first of a queue is held against those that stay, until one overlaps it by more than threshold, which is
    multiplied by eta as in plain suppression. As in the original, each time the box gets a place in the queue by its
    score times exp(-overlap^2 / theta), and the first of the queue goes, which after the first time is another box; a
    box may so be left out, or come again. Source: ApplySoftNMSFast of jolibrain/caffe, after Bodla et al., Soft-NMS
    (2017).
    """
    queue = [(score, i) for i, score in enumerate(scores.tolist())]
    kept: list[int] = []
    while queue:
        score, i = queue[0]
        stays = True
        for other in kept:
            overlap = overlap_of_parts(boxes, i, other)
            less = np.float32(score * np.exp(-(np.float32(overlap) ** 2) / np.float32(theta)))
            queue = sorted([*queue[1:], (float(less), i)], key=lambda place: -place[0])
            stays = bool(overlap <= threshold)
            if not stays:
                break
        if stays:
            kept.append(i)
            if eta < 1 and threshold > 0.5:
                threshold = threshold * eta
        del queue[0]
    return kept
