"""Greedy non-maximum suppression of boxes x1 y1 x2 y2."""

from __future__ import annotations

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.boxes import iou, iou_of_parts
from caffe_compat.layers.kernels.shared import share_of, shared


@njit(cache=True, error_model="numpy")
def nms(boxes, threshold, keep):
    """Write into keep (n, bool) which of the boxes (n x 4 in pixels, best first) stay.

    A box goes when its intersection over union with a better one that stays is greater than threshold. All is
    computed in the boxes' dtype; pass the threshold in it too.
    Source: py_cpu_nms and gpu_nms of Fast R-CNN.
    """
    keep[:] = True
    for i in range(len(boxes)):
        if keep[i]:
            for j in range(i + 1, len(boxes)):
                if keep[j]:
                    keep[j] = iou(boxes, i, boxes, j) <= threshold


@shared()
def nms_groups(boxes, starts, threshold, keep, part, parts):
    """Do `nms` in each group by itself; group g is the rows from starts[g] to where the next one begins."""
    for g in range(*share_of(len(starts), part, parts)):
        end = starts[g + 1] if g + 1 < len(starts) else len(boxes)
        nms(boxes[starts[g] : end], threshold, keep[starts[g] : end])


@njit(cache=True, error_model="numpy")
def nms_of_parts(boxes, threshold, eta, keep):
    """Write into keep (n, bool) which of the boxes (n x 4 in normalized coordinates, best first) stay.

    As `nms`; but with each box that stays, the threshold is multiplied by eta (1: never) while it is above a half.
    Pass both in the boxes' dtype. Source: ApplyNMSFast of the SSD fork of Caffe.
    """
    kept = np.empty(len(boxes), np.int64)
    count = 0
    for i in range(len(boxes)):
        keep[i] = True
        for k in range(count):
            if not iou_of_parts(boxes, i, boxes, kept[k]) <= threshold:
                keep[i] = False
                break
        if keep[i]:
            kept[count] = i
            count += 1
            if eta < 1 and threshold > 0.5:
                threshold *= eta


@njit(cache=True, error_model="numpy")
def soft_nms_of_parts(boxes, scores, threshold, eta, theta, kept):
    """Write into kept (n, int64) which of the boxes (n x 4 in normalized coordinates, best first) stay, in the order in
    which they were taken; returns how many they are.

    The first of a queue is held against those that stay, until one overlaps it by more than threshold, which is
    multiplied by eta as in `nms_of_parts`. As in the original, each time the box gets a place in the queue by its score
    times exp(-overlap^2 / theta), behind equal ones, and the first of the queue goes, which after the first time is
    another box; a box may so be left out, or come again. Pass threshold and eta in the boxes' dtype, theta in float32.
    Source: ApplySoftNMSFast of jolibrain/caffe, after Bodla et al., Soft-NMS (2017).
    """
    queue, order = scores.copy(), np.arange(len(boxes))
    count = 0
    for first in range(len(boxes)):
        score, i = queue[first], order[first]
        stays = True
        for k in range(count):
            overlap = iou_of_parts(boxes, i, boxes, kept[k])
            less = np.float32(score * np.exp(-(np.float32(overlap) ** 2) / theta))
            place = first
            while place + 1 < len(boxes) and queue[place + 1] >= less:
                queue[place], order[place] = queue[place + 1], order[place + 1]
                place += 1
            queue[place], order[place] = less, i
            stays = overlap <= threshold
            if not stays:
                break
        if stays:
            kept[count] = i
            count += 1
            if eta < 1 and threshold > 0.5:
                threshold *= eta
    return count


@njit(cache=True, error_model="numpy")
def nms_of_kind(boxes, areas, pixel, kind, threshold, keep):
    """Write into keep (n, bool) which of the boxes (n x 4, best first) stay.

    As `nms`, of boxes with these areas. What two have in common is divided by what they cover together (kind 0), by
    the smaller of them (1), or by the better one (2). pixel: what is added to widths and heights, 0 or 1. A height of
    0 in common counts as nothing, a width does not. Source: ApplyNMS of zhaoweicai/cascade-rcnn, nmsMax of
    zhaoweicai/mscnn.
    """
    keep[:] = True
    for i in range(len(boxes)):
        if not keep[i] or boxes[i, 2] < boxes[i, 0] or boxes[i, 3] < boxes[i, 1]:
            continue
        for j in range(i + 1, len(boxes)):
            width = min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0])
            height = min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1])
            if not keep[j] or width < 0 or height <= 0:
                continue
            common = (width + pixel) * (height + pixel)
            whole = areas[i] + areas[j] - common
            if kind == 1:
                whole = min(areas[i], areas[j])
            elif kind == 2:
                whole = areas[i]
            if whole > 0 and common / whole > threshold:
                keep[j] = False


@njit(cache=True, error_model="numpy")
def nms_of_middles(boxes, threshold, keep):
    """Write into keep (n, bool) which of the boxes (n x 4: x, y of the middle, width, height; best first) stay.

    A box goes when its intersection over union with a better one that stays reaches the threshold.
    Pass it in the boxes' dtype. Source: ApplyNms of the Caffe of MobileNet-YOLO, and of Intel's.
    """
    half = np.float32(0.5)
    kept = np.empty(len(boxes), np.int64)
    count = 0
    for i in range(len(boxes)):
        x, y, w, h = boxes[i]
        keep[i] = True
        for k in range(count):
            bx, by, bw, bh = boxes[kept[k]]
            width = min(x + w * half, bx + bw * half) - max(x - w * half, bx - bw * half)
            height = min(y + h * half, by + bh * half) - max(y - h * half, by - bh * half)
            inter = width * height if width > 0 and height > 0 else np.float32(0)
            if inter / (w * h + bw * bh - inter) >= threshold:
                keep[i] = False
                break
        if keep[i]:
            kept[count] = i
            count += 1
