"""What a roidb is made of: photos with their RoIs, and the entries that minibatches are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Photo:
    """The N RoIs of a photo, its G objects first, then the proposals; 14 bytes a RoI where boxes are whole numbers.

    boxes: N x 4, x1 y1 x2 y2 in the photo's pixels, 0-based, both corners inside; uint16, or float32 for
    fractions. gt_classes: G int32, the classes of the objects. max_overlaps: N float32, the IoU with the object that
    the RoI overlaps most; 0 where it overlaps none. matched: N int16, the index of that object.
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
    """A photo or its mirror image with N RoIs; minibatches are made of such entries.

    boxes: N x 4 float32, as in Photo, the G objects first; in pixels of the mirror image where flipped.
    gt_classes: G int32 and max_overlaps: N float32, as in Photo.
    max_classes: N int32, the class of the object that the RoI overlaps most; 0 where it overlaps none.
    bbox_targets: N x 5 float32, the class of that object and normalised dx dy dw dh to it; 0 where the overlap is
    below BBOX_THRESH.
    """

    path: str
    flipped: bool
    boxes: np.ndarray
    gt_classes: np.ndarray
    max_overlaps: np.ndarray
    max_classes: np.ndarray
    bbox_targets: np.ndarray
