"""Greedy non-maximum suppression of boxes x1 y1 x2 y2 in pixels, both corners inside."""

from __future__ import annotations

from numba import njit, prange

from caffe_compat.layers.kernels.boxes import iou


@njit(cache=True, error_model="numpy")
def nms(boxes, threshold, keep):
    """Write into keep (n, bool) which of the boxes (n x 4, best first) stay.

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


@njit(cache=True, error_model="numpy", parallel=True)
def nms_groups(boxes, starts, threshold, keep):
    """Do `nms` in each group by itself; group g is the rows from starts[g] to where the next one begins."""
    for g in prange(len(starts)):
        end = starts[g + 1] if g + 1 < len(starts) else len(boxes)
        nms(boxes[starts[g] : end], threshold, keep[starts[g] : end])
