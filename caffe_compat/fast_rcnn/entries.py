"""What a roidb is made of: photos with their RoIs, and the entries that minibatches are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Photo:
    """N RoIs of a photo, its G objects first, then the proposals: 14 bytes a RoI where boxes are whole numbers.

    boxes: N x 4, x1 y1 x2 y2 in the photo's pixels, 0-based, both corners inside; uint16, or float32 for
    fractions. gt_classes: G int32. max_overlaps: N float32, the IoU with the object that the RoI overlaps
    most; 0 where it overlaps none. matched: N int16, which object that is.
    """

    path: str
    width: int
    height: int
    boxes: np.ndarray
    gt_classes: np.ndarray
    max_overlaps: np.ndarray
    matched: np.ndarray


@dataclass(frozen=True)
class RoidbEntry:
    """A photo, or its mirror image, with N RoIs, as minibatches are made of it.

    boxes: N x 4 float32, as in Photo, the G objects first; x counts from the other side where flipped.
    gt_classes: G int32, as in Photo. max_overlaps: N float32.
    max_classes: N int32, the class of the object that the RoI overlaps most; 0 where it overlaps none.
    bbox_targets: N x 5 float32: class and normalised dx dy dw dh to that object, 0 where they overlap less
    than BBOX_THRESH.
    """

    path: str
    flipped: bool
    boxes: np.ndarray
    gt_classes: np.ndarray
    max_overlaps: np.ndarray
    max_classes: np.ndarray
    bbox_targets: np.ndarray
