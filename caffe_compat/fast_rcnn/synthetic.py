"""A drawn sample for the RoI data layer: a net runs on it where no data is given."""

from __future__ import annotations

import cv2
import numpy as np

from caffe_compat.fast_rcnn.config import FASTER_RCNN, OHEM, in_order, with_agnostic
from caffe_compat.fast_rcnn.dataset import Objects
from caffe_compat.fast_rcnn.entries import Photo
from caffe_compat.fast_rcnn.minibatch import Blobs, minibatch
from caffe_compat.fast_rcnn.roidb import Roidb, photo_rois
from caffe_compat.fast_rcnn.voc import class_names

_HEIGHT, _WIDTH = 600, 800  # as scaled, so that boxes in the picture and in the blob are the same
_OBJECTS = 5
_JITTERED = 0.5  # of the RoIs lie around an object, the rest anywhere; then a quarter are foreground
_LEAST_SIDE = 16  # pixels


def synthetic_sample(
    num_classes: int,
    seed: int = 0,
    rois: int = 300,
    images: int = 1,
    has_rpn: bool = False,
    agnostic: bool = False,
) -> Blobs:
    """A minibatch of drawn pictures of 600 x 800 pixels with five objects each; the same for the same arguments.

    Each picture has `rois` RoIs: its objects, boxes around them that fit more or less well, and random boxes. The
    objects have different classes from 1 to num_classes - 1; with fewer than five classes there are fewer objects. The
    arrays are those of `minibatch.minibatch` with USE_OHEM, or with HAS_RPN where has_rpn; with AGNOSTIC
    where agnostic.
    """
    rng = np.random.RandomState(seed)
    pictures, photos = zip(*(_sample(rng, num_classes, rois) for _ in range(images)), strict=True)
    cfg = with_agnostic(in_order(FASTER_RCNN if has_rpn else OHEM), agnostic)
    return minibatch(pictures, Roidb(photos, cfg, class_names(num_classes)), num_classes, cfg)


def _sample(rng: np.random.RandomState, num_classes: int, rois: int) -> tuple[np.ndarray, Photo]:
    classes = 1 + rng.permutation(num_classes - 1)[: min(_OBJECTS, rois)]
    picture = _ground(rng)
    boxes = np.array([_draw_object(rng, picture) for _ in classes], np.float64).reshape(-1, 4)
    jittered = round(_JITTERED * (rois - len(boxes))) if len(boxes) else 0
    around = _jitter(rng, boxes, jittered)
    anywhere = _random_boxes(rng, rois - len(boxes) - jittered)
    objects = Objects(boxes, classes)
    return picture, photo_rois("", _WIDTH, _HEIGHT, objects, np.concatenate((around, anywhere)))


def _ground(rng: np.random.RandomState) -> np.ndarray:
    """Soft clouds of colour with grain."""
    clouds = rng.uniform(90, 165, (7, 9, 3)).astype(np.float32)
    grain = rng.uniform(-30, 30, (150, 200, 3)).astype(np.float32)
    soft = cv2.resize(clouds, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC)
    return cv2.add(soft, cv2.resize(grain, (_WIDTH, _HEIGHT))).clip(0, 255).astype(np.uint8)


def _draw_object(rng: np.random.RandomState, picture: np.ndarray) -> tuple[int, int, int, int]:
    """Draw a striped ellipse, rectangle or triangle; returns the box around its pixels."""
    half = rng.randint(40, 150, 2)
    center = rng.randint(half, np.array([_WIDTH, _HEIGHT]) - half)
    mask = np.zeros(picture.shape[:2], np.uint8)
    low, high = center - half, center + half - 1
    match rng.randint(3):
        case 0:
            cv2.ellipse(mask, center.tolist(), (half - 1).tolist(), 0, 0, 360, 255, cv2.FILLED)
        case 1:
            cv2.rectangle(mask, low.tolist(), high.tolist(), 255, cv2.FILLED)
        case _:
            corners = np.array([[center[0], low[1]], high, [low[0], high[1]]], np.int32)
            cv2.fillConvexPoly(mask, corners, 255)
    y, x = np.nonzero(mask)
    angle, width, colours = rng.uniform(0, np.pi), rng.uniform(4, 12), rng.randint(0, 256, (2, 3))
    phase = (x * np.cos(angle) + y * np.sin(angle)) / width
    picture[y, x] = np.where(np.sin(phase)[:, None] > 0, colours[0], colours[1])
    return x.min(), y.min(), x.max(), y.max()


def _jitter(rng: np.random.RandomState, boxes: np.ndarray, count: int) -> np.ndarray:
    """Boxes with corners up to a few tenths of an object's size away from the object's; the objects take turns."""
    of_object = boxes[np.arange(count) % max(1, len(boxes))]
    sizes = np.tile(of_object[:, 2:] - of_object[:, :2] + 1, 2)
    return _tidy(of_object + rng.normal(0, 0.25, of_object.shape) * sizes)


def _random_boxes(rng: np.random.RandomState, count: int) -> np.ndarray:
    corners = rng.uniform(0, 1, (count, 2, 2)) * [_WIDTH, _HEIGHT]
    return _tidy(np.sort(corners, axis=1).reshape(-1, 4))


def _tidy(boxes: np.ndarray) -> np.ndarray:
    """The boxes in whole pixels, inside the picture, and with no side shorter than _LEAST_SIDE."""
    sides = np.array([_WIDTH, _HEIGHT])
    low = boxes[:, :2].round().clip(0, sides - _LEAST_SIDE)
    high = np.minimum(np.maximum(boxes[:, 2:].round(), low + _LEAST_SIDE - 1), sides - 1)
    return np.hstack((low, high))
