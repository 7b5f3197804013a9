"""A roidb entry: the RoIs of one photo, and what its annotated objects say about each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from caffe_compat.fast_rcnn.boxes import bbox_overlaps, bbox_transform
from caffe_compat.fast_rcnn.config import BBOX_NORMALIZE_MEANS, BBOX_NORMALIZE_STDS, FG_THRESH


@dataclass(frozen=True)
class RoidbEntry:
    """N RoIs of a photo: its objects first, then the proposals.

    boxes: N x 4 float32, x1 y1 x2 y2 in the photo's pixels, 0-based, both corners inside.
    max_overlaps: N float32, the IoU with the object that the RoI overlaps most; 0 where it overlaps none.
    max_classes: N int32, that object's class; 0 where it overlaps none.
    bbox_targets: N x 5 float32: class and dx dy dw dh to that object where the IoU is at least 0.5, else 0.

    Source: the reference's roi_data_layer/roidb.py.
    """

    boxes: np.ndarray
    max_overlaps: np.ndarray
    max_classes: np.ndarray
    bbox_targets: np.ndarray


def roidb_entry(gt_boxes: np.ndarray, gt_classes: np.ndarray, proposals: np.ndarray) -> RoidbEntry:
    """The entry of a photo with G objects (G x 4 boxes, G classes above 0; G may be 0) and P x 4 proposals.

    Its bbox targets are normalised by `normalize_targets`.
    """
    boxes = np.concatenate((gt_boxes, proposals)).astype(np.float32)
    max_overlaps = np.zeros(len(boxes), np.float32)
    max_classes = np.zeros(len(boxes), np.int32)
    targets = np.zeros((len(boxes), 5), np.float32)
    if len(gt_boxes) > 0:
        overlaps = bbox_overlaps(boxes, gt_boxes)
        best = overlaps.argmax(axis=1)
        max_overlaps[:] = overlaps.max(axis=1)
        max_classes[:] = np.where(max_overlaps > 0, gt_classes[best], 0)
        max_classes[: len(gt_boxes)] = (
            gt_classes  # its own class, though another object may have the same box
        )
        targets = compute_targets(boxes, gt_boxes[best], max_overlaps, max_classes)
    return RoidbEntry(boxes, max_overlaps, max_classes, normalize_targets(targets))


def compute_targets(
    boxes: np.ndarray, gt_boxes: np.ndarray, max_overlaps: np.ndarray, max_classes: np.ndarray
) -> np.ndarray:
    """N x 5 float32: class and dx dy dw dh from each box to the object in the same row of gt_boxes (N x 4).

    All 0 where max_overlaps is below 0.5. Computed in float64.
    """
    targets = np.zeros((len(boxes), 5), np.float32)
    near = max_overlaps >= FG_THRESH
    targets[near, 0] = max_classes[near]
    targets[near, 1:] = bbox_transform(boxes[near].astype(np.float64), gt_boxes[near].astype(np.float64))
    return targets


def normalize_targets(targets: np.ndarray) -> np.ndarray:
    """N x 5 targets with (dx dy dw dh - means) / stds in the rows that have a class.

    The means (0 0 0 0) and standard deviations (0.1 0.1 0.2 0.2) are fixed ones, those of the reference's
    BBOX_NORMALIZE_TARGETS_PRECOMPUTED; its default takes them from all targets of the data set, by class.
    """
    result = targets.copy()
    of_object = targets[:, 0] > 0
    for_rows = result[of_object, 1:]
    for_rows -= BBOX_NORMALIZE_MEANS
    for_rows /= BBOX_NORMALIZE_STDS
    result[of_object, 1:] = for_rows
    return result
