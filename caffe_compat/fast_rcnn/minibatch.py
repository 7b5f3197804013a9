"""Minibatches: what the RoI data layer serves, from photos and their roidb entries.

A minibatch is a dict of float32 arrays, with B photos, R RoIs and K classes:

    data                  B x 3 x H x W, see images.image_blob
    rois                  R x 5: index of the photo in the batch, x1 y1 x2 y2 in the scaled photo
    labels                R: class, 0 = background
    bbox_targets          R x 4K: dx dy dw dh in the four columns of the RoI's class, else 0
    bbox_inside_weights   R x 4K: 1 where there is a target, else 0
    bbox_outside_weights  R x 4K: the same

Source: the reference's roi_data_layer/minibatch.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import BATCH_SIZE, BG_THRESH_HI, BG_THRESH_LO, FG_FRACTION, FG_THRESH
from caffe_compat.fast_rcnn.images import image_blob
from caffe_compat.fast_rcnn.roidb import RoidbEntry

Blobs = dict[str, np.ndarray]


def ohem_blobs(images: Sequence[np.ndarray], entries: Sequence[RoidbEntry], num_classes: int) -> Blobs:
    """A minibatch of all RoIs of the photos (for OHEM, which has one), the foreground of each photo first.

    `images`: height x width x 3 uint8, BGR. A RoI is foreground, with the class of the object that it
    overlaps most, where that IoU is at least 0.5.

    Raises DataError for a class that the net does not have, and where there is no RoI.
    """
    return _blobs(images, entries, [_all_rois(entry) for entry in entries], num_classes)


def frcn_blobs(images: Sequence[np.ndarray], entries: Sequence[RoidbEntry], num_classes: int) -> Blobs:
    """A minibatch of 128 RoIs, sampled evenly from the photos (plain Fast R-CNN has two).

    Up to a quarter are foreground (IoU with an object at least 0.5), the rest background (0.1 to 0.5); there
    are fewer where the photos do not have enough. Draws from numpy's global random numbers, in the
    reference's order.

    Raises DataError for a class that the net does not have, and where there is no such RoI.
    """
    samples = [_sample_rois(entry, BATCH_SIZE // len(entries)) for entry in entries]
    return _blobs(images, entries, samples, num_classes)


# Rows of a roidb entry and how many of them, the first ones, are foreground
_Sample = tuple[np.ndarray, int]


def _all_rois(entry: RoidbEntry) -> _Sample:
    foreground = np.flatnonzero(entry.max_overlaps >= FG_THRESH)
    background = np.flatnonzero(entry.max_overlaps < BG_THRESH_HI)
    return np.concatenate((foreground, background)), len(foreground)


def _sample_rois(entry: RoidbEntry, count: int) -> _Sample:
    overlaps = entry.max_overlaps
    foreground = _choose(np.flatnonzero(overlaps >= FG_THRESH), round(FG_FRACTION * count))
    background = np.flatnonzero((overlaps < BG_THRESH_HI) & (overlaps >= BG_THRESH_LO))
    background = _choose(background, count - len(foreground))
    return np.concatenate((foreground, background)), len(foreground)


def _choose(rows: np.ndarray, count: int) -> np.ndarray:
    if len(rows) == 0:
        return rows
    return np.random.choice(rows, size=min(count, len(rows)), replace=False)


def _blobs(
    images: Sequence[np.ndarray], entries: Sequence[RoidbEntry], samples: Sequence[_Sample], num_classes: int
) -> Blobs:
    if not any(len(rows) for rows, _ in samples):
        raise DataError(
            "there is no RoI: the photos are too small for proposals or, where RoIs are sampled, "
            f"none overlaps an object by {BG_THRESH_LO:g}; leave them out"
        )
    data, scales = image_blob(images)
    rois, labels, targets = [], [], []
    for index, (entry, (rows, foreground), scale) in enumerate(zip(entries, samples, scales, strict=True)):
        boxes = entry.boxes[rows].astype(np.float64) * scale
        rois.append(np.insert(boxes, 0, index, axis=1).astype(np.float32))
        labels.append(np.where(np.arange(len(rows)) < foreground, entry.max_classes[rows], 0))
        targets.append(entry.bbox_targets[rows])
    bbox_targets, weights = _by_class(np.concatenate(targets), num_classes)
    return {
        "data": data,
        "rois": np.concatenate(rois),
        "labels": np.concatenate(labels).astype(np.float32),
        "bbox_targets": bbox_targets,
        "bbox_inside_weights": weights,
        "bbox_outside_weights": weights.copy(),
    }


def _by_class(targets: np.ndarray, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Spread R x 5 targets (class, dx dy dw dh) over R x 4K columns; and their weights, 1 at a target."""
    classes = targets[:, 0].astype(int)
    if classes.max(initial=0) >= num_classes:
        raise DataError(
            f"an object has class {classes.max()}, but the net has classes 0 to {num_classes - 1}; set "
            "num_classes of the RoI data layer, and the net's outputs, to those of the data"
        )
    spread = np.zeros((len(targets), num_classes, 4), np.float32)
    weights = np.zeros_like(spread)
    rows = np.flatnonzero(classes)
    spread[rows, classes[rows]] = targets[rows, 1:]
    weights[rows, classes[rows]] = 1
    return spread.reshape(len(targets), -1), weights.reshape(len(targets), -1)
