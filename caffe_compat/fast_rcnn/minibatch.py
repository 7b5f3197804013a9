"""Minibatches: what the RoI data layer serves, from photos and their roidb entries.

A minibatch is a dict of float32 arrays, with B photos, R RoIs and K classes:

    data                  B x 3 x H x W, see images.image_blob
    rois                  R x 5: index of the photo in the batch, x1 y1 x2 y2 in the scaled photo
    labels                R: class, 0 = background
    bbox_targets          R x 4K: dx dy dw dh in the four columns of the RoI's class, else 0
    bbox_inside_weights   R x 4K: BBOX_INSIDE_WEIGHTS (1 by default) where there is a target, else 0
    bbox_outside_weights  R x 4K: 1 where the inside weight is above 0

With AGNOSTIC the last three have 8 columns, of which the last four are of all classes but the background's.
Without BBOX_REG it has the first three. With HAS_RPN, of one photo with G annotated objects, it has

    data                  1 x 3 x H x W
    im_info               1 x 3: H, W, and the scale of the photo
    gt_boxes              G x 5: x1 y1 x2 y2 in the scaled photo, class

Source: the reference's roi_data_layer/minibatch.py, and py-R-FCN's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import Config, TrainConfig
from caffe_compat.fast_rcnn.entries import RoidbEntry
from caffe_compat.fast_rcnn.images import image_blob
from caffe_compat.fast_rcnn.roidb import box_classes, num_box_classes

Blobs = dict[str, np.ndarray]
_Sample = tuple[np.ndarray, int]  # rows of a roidb entry and how many of them, the first ones, are foreground


def minibatch(
    images: Sequence[np.ndarray], entries: Sequence[RoidbEntry], num_classes: int, cfg: Config
) -> Blobs:
    """The minibatch of photos (height x width x 3 uint8, BGR; mirrored already where the entry is flipped).

    With USE_OHEM it has all RoIs, the foreground of each photo first. Without it, BATCH_SIZE RoIs are sampled, equally
    many from each photo: up to FG_FRACTION foreground, the rest background; fewer where there are not enough; all, in
    a random order, where BATCH_SIZE is -1. Draws
    from numpy's global RandomState in the reference's order: a scale for each photo, then foreground and background
    photo by photo. With HAS_RPN, only a scale is drawn.

    Raises DataError for a class that the net does not have, and where there is no RoI or no object.
    """
    train = cfg.TRAIN
    sizes, samples = draw(entries, cfg)
    if train.HAS_RPN:
        return _annotated(images, entries, sizes, num_classes, cfg)
    if not any(len(rows) for rows, _ in samples):
        raise DataError("there is no RoI that is foreground or background; leave these photos out")
    data, scales = image_blob(images, sizes, train.MAX_SIZE, cfg.PIXEL_MEANS)
    rois, labels, targets = [], [], []
    for index, (entry, (rows, foreground), scale) in enumerate(zip(entries, samples, scales, strict=True)):
        boxes = entry.boxes[rows].astype(np.float64) * scale
        rois.append(np.insert(boxes, 0, index, axis=1).astype(np.float32))
        labels.append(np.where(np.arange(len(rows)) < foreground, entry.max_classes[rows], 0))
        targets.append(entry.bbox_targets[rows])
    blobs = {
        "data": data,
        "rois": np.concatenate(rois),
        "labels": np.concatenate(labels).astype(np.float32),
    }
    if train.BBOX_REG:
        blobs |= _by_class(np.concatenate(targets), num_classes, train)
    return blobs


def draw(entries: Sequence[RoidbEntry], cfg: Config) -> tuple[list[int], list[_Sample]]:
    """What `minibatch` draws for these entries: a scale for each, and the RoIs of each, none with HAS_RPN."""
    train = cfg.TRAIN
    sizes = [train.SCALES[i] for i in np.random.randint(0, len(train.SCALES), len(entries))]
    if train.HAS_RPN:
        return sizes, []
    if train.USE_OHEM:
        return sizes, [_all_rois(entry, train) for entry in entries]
    count = np.inf if train.BATCH_SIZE == -1 else train.BATCH_SIZE // len(entries)
    return sizes, [_sample_rois(entry, count, train) for entry in entries]


def im_info(data: np.ndarray, scale: float) -> np.ndarray:
    """The input im_info of a net that proposes RoIs: H and W of `data` (1 x 3 x H x W) and the photo's scale, 1 x 3
    float32."""
    return np.array([[*data.shape[2:], scale]], np.float32)


def _annotated(
    images: Sequence[np.ndarray],
    entries: Sequence[RoidbEntry],
    sizes: Sequence[int],
    num_classes: int,
    cfg: Config,
) -> Blobs:
    data, (scale,) = image_blob(images, sizes, cfg.TRAIN.MAX_SIZE, cfg.PIXEL_MEANS)
    classes = entries[0].gt_classes
    if not len(classes):
        raise DataError("there is no object, and an RPN needs one to learn from; leave this photo out")
    _check_classes(classes, num_classes)
    boxes = entries[0].boxes[: len(classes)].astype(np.float64) * scale
    gt_boxes = np.column_stack((boxes, classes)).astype(np.float32)
    return {"data": data, "im_info": im_info(data, scale), "gt_boxes": gt_boxes}


def _all_rois(entry: RoidbEntry, train: TrainConfig) -> _Sample:
    foreground = np.flatnonzero(entry.max_overlaps >= train.FG_THRESH)
    background = np.flatnonzero(entry.max_overlaps < train.BG_THRESH_HI)
    return np.concatenate((foreground, background)), len(foreground)


def _sample_rois(entry: RoidbEntry, count: float, train: TrainConfig) -> _Sample:
    overlaps = entry.max_overlaps
    most = count if np.isinf(count) else round(train.FG_FRACTION * count)
    foreground = _choose(np.flatnonzero(overlaps >= train.FG_THRESH), most)
    background = np.flatnonzero((overlaps < train.BG_THRESH_HI) & (overlaps >= train.BG_THRESH_LO))
    background = _choose(background, count - len(foreground))
    return np.concatenate((foreground, background)), len(foreground)


def _choose(rows: np.ndarray, count: float) -> np.ndarray:
    if len(rows) == 0:
        return rows
    return np.random.choice(rows, size=int(min(count, len(rows))), replace=False)


def _by_class(targets: np.ndarray, num_classes: int, train: TrainConfig) -> Blobs:
    """R x 5 targets (class, dx dy dw dh) spread over R x 4K columns, and their inside and outside weights."""
    classes = targets[:, 0].astype(int)
    _check_classes(classes, num_classes)
    kinds, columns = num_box_classes(num_classes, train), box_classes(classes, train)
    spread, inside = np.zeros((2, len(targets), kinds, 4), np.float32)
    rows = np.flatnonzero(classes)
    spread[rows, columns[rows]] = targets[rows, 1:]
    inside[rows, columns[rows]] = train.BBOX_INSIDE_WEIGHTS
    flat = (len(targets), 4 * kinds)
    return {
        "bbox_targets": spread.reshape(flat),
        "bbox_inside_weights": inside.reshape(flat),
        "bbox_outside_weights": (inside > 0).astype(np.float32).reshape(flat),
    }


def _check_classes(classes: np.ndarray, num_classes: int) -> None:
    if classes.max(initial=0) >= num_classes:
        raise DataError(
            f"an object has class {classes.max()}, but the net has classes 0 to {num_classes - 1}; set "
            "num_classes of the RoI data layer, and the net's outputs, to those of the data"
        )
