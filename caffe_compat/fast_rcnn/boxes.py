"""Arithmetic of boxes: x1 y1 x2 y2 in pixels, 0-based, both corners inside (width = x2 - x1 + 1)."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels import boxes as kernels


def bbox_overlaps(boxes: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Intersection over union of N boxes (N x 4) with K boxes (K x 4): N x K float64, computed in float64.

    Source: the reference's utils/bbox.pyx.
    """
    result = np.empty((len(boxes), len(query)))
    kernels.overlaps(np.ascontiguousarray(boxes, np.float64), np.ascontiguousarray(query, np.float64), result)
    return result


def bbox_transform(ex: np.ndarray, gt: np.ndarray) -> np.ndarray:
    """The deltas dx dy dw dh that turn the boxes `ex` into the boxes `gt` (all N x 4), in the boxes' dtype.

    dx and dy are the distances between the centres, in widths and heights of `ex`; dw and dh are the logarithms of the
    ratios of the sizes. For boxes of an integer type they are float64.

    Source: R-CNN (Girshick et al. 2014), appendix C; the reference's fast_rcnn/bbox_transform.py.
    """
    ex_sizes, ex_centers = _sizes_and_centers(ex)
    gt_sizes, gt_centers = _sizes_and_centers(gt)
    return np.hstack(((gt_centers - ex_centers) / ex_sizes, np.log(gt_sizes / ex_sizes)))


def bbox_transform_inv(boxes: np.ndarray, deltas: np.ndarray) -> np.ndarray:
    """The boxes (R x 4) moved and resized by deltas (R x 4K, dx dy dw dh for each of K classes): R x 4K.

    Computed in the deltas' dtype. A delta too large for the exponential gives infinite corners.

    Source: the reference's fast_rcnn/bbox_transform.py.
    """
    sizes, centers = (part[:, None] for part in _sizes_and_centers(boxes.astype(deltas.dtype)))
    by_class = deltas.reshape(len(boxes), deltas.shape[1] // 4, 4)
    centers = by_class[..., :2] * sizes + centers
    with np.errstate(over="ignore"):
        halves = 0.5 * (np.exp(by_class[..., 2:]) * sizes)
    return np.concatenate((centers - halves, centers + halves), axis=2).reshape(deltas.shape)


def clip_boxes(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """The boxes (N x 4, or N x 4K), in their dtype, with all corners moved into a photo of height x width pixels."""
    corners = boxes.reshape(len(boxes), boxes.shape[1] // 2, 2)
    last = np.array((width - 1, height - 1), boxes.dtype)
    return np.maximum(np.minimum(corners, last), 0).reshape(boxes.shape)


def _sizes_and_centers(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sizes = boxes[:, 2:4] - boxes[:, 0:2] + 1.0
    return sizes, boxes[:, 0:2] + 0.5 * sizes


def inside_photo(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Which of N x 4 boxes (x1 y1 x2 y2, 0-based, both corners inside) lie in a photo, and have a size: N bool."""
    x1, y1, x2, y2 = boxes.T
    return (x1 >= 0) & (x1 <= x2) & (x2 < width) & (y1 >= 0) & (y1 <= y2) & (y2 < height)
