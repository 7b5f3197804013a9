"""The objects of an annotated image, as SSD's AnnotatedData moves them with it.

Objects are rows of class, instance, x1 y1 x2 y2 (in parts of the image) and whether they are difficult: K x 7, float32,
or K x 15 with a polygon each.
A window is x1 y1 x2 y2 in parts of the image, and may be larger than it.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.data import polygons
from caffe_compat.prototxt.caffe_pb2 import AnnotatedDatum, EmitConstraint

CLASS, INSTANCE, BOX, DIFFICULT, POLYGON = 0, 1, slice(2, 6), 6, slice(7, 15)


def read_objects(datum: AnnotatedDatum) -> np.ndarray:
    """The objects of a record, in its order."""
    rows = [
        (group.group_label, one.instance_id, box.xmin, box.ymin, box.xmax, box.ymax, box.difficult)
        for group in datum.annotation_group
        for one in group.annotation
        for box in (one.bbox,)
    ]
    return np.array(rows, np.float32).reshape(-1, 7)


def read_polygons(datum: AnnotatedDatum) -> np.ndarray:
    """The polygons of a record's objects, in their order: K x 8; NaN where an object has none."""
    rows = [
        [getattr(one.polygon, f"{axis}{i}") for i in range(1, 5) for axis in "xy"]
        if one.HasField("polygon")
        else [np.nan] * 8
        for group in datum.annotation_group
        for one in group.annotation
    ]
    return np.array(rows, np.float32).reshape(-1, 8)


def areas(boxes: np.ndarray) -> np.ndarray:
    """Of boxes (K x 4) in parts; 0 for what is no box. Source: BBoxSize of the SSD fork of Caffe."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.where((sides < 0).any(axis=1), 0, sides.prod(axis=1))


def intersections(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The areas that a box (4) and each of the boxes (K x 4) have in common."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    return np.where((sides > 0).all(axis=1), sides.prod(axis=1), 0)


def projected(objects: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The objects in parts of a window, clipped to it; those outside of it are left out. Polygons become rectangles.

    Source: ProjectBBox and ClipBBox of the SSD fork of Caffe.
    """
    boxes = objects[:, BOX]
    meets = ((boxes[:, :2] < window[2:]) & (boxes[:, 2:] > window[:2])).all(axis=1)
    objects = objects[meets]
    moved = (objects[:, BOX] - np.tile(window[:2], 2)) / np.tile(window[2:] - window[:2], 2)
    objects[:, BOX] = np.clip(moved, 0, 1)
    if objects.shape[1] > POLYGON.start:
        objects[:, POLYGON] = polygons.projected(objects[:, POLYGON], window)
    return objects[areas(objects[:, BOX]) > 0]


def emitted(objects: np.ndarray, window: np.ndarray, constraint: EmitConstraint) -> np.ndarray:
    """The objects that a window keeps: whose centre is in it, or of which it has more than emit_overlap.

    Source: MeetEmitConstraint of the SSD fork of Caffe.
    """
    boxes = objects[:, BOX]
    if constraint.emit_type == EmitConstraint.CENTER:
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        return objects[((centres >= window[:2]) & (centres <= window[2:])).all(axis=1)]
    common = intersections(window, boxes)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(common > 0, common / areas(boxes), 0)
    return objects[share > np.float32(constraint.emit_overlap)]


def mirrored(objects: np.ndarray) -> np.ndarray:
    """The objects of the image that is flipped left to right."""
    objects = objects.copy()
    objects[:, [2, 4]] = 1 - objects[:, [4, 2]]
    return objects
