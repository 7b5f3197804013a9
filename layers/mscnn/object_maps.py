"""From the objects of an image to maps of ground truth, one for each field; see ground_truth.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from caffe_compat.layers.mscnn.boxes import common_areas, overlaps_of_corners
from caffe_compat.layers.mscnn.rounding import whole

SURE = np.float32(1)  # the overlap of places at which nothing is to be learned


class Field(NamedTuple):
    """The boxes of a map: width x height around places that are stride pixels apart."""

    width: int
    height: int
    stride: int

    def cells(self, pixels: float) -> int:
        """How many places there are along so many pixels."""
        return whole(np.float32(pixels) / np.float32(self.stride))


class Objects(NamedTuple):
    """boxes: G x 4, x1 y1 x2 y2, and their classes; ignored: those that are not to be found. regions: K x 4."""

    boxes: np.ndarray
    labels: np.ndarray
    ignored: np.ndarray
    regions: np.ndarray


class Rule(NamedTuple):
    """When a field's box is that of an object.

    pixel: 1 where a box from x to x is a pixel wide (Cascade R-CNN), 0 where it has no width (MS-CNN).
    foreground: from which overlap on. unknown: which share of it may lie in regions. least: the overlap from which on
    an object that is no field's gets the place nearest to its centre. margin: how far a field's box may lie outside of
    the image, in parts of half its size; inside: which share of it must lie in the image. None: anything.
    """

    pixel: int
    foreground: float
    unknown: float
    least: float
    margin: float | None = None
    inside: float | None = None


def write_maps(
    rule: Rule, objects: Objects, area: Sequence[int], fields: Sequence[Field], maps: Sequence[np.ndarray]
) -> None:
    """Write the maps (6 x H x W each). area: x, y, width and height of where the image is."""
    best, best_map = np.zeros(len(objects.boxes), np.float32), np.zeros(len(objects.boxes), int)
    found = np.zeros(len(objects.boxes), bool)
    for index, (field, out) in enumerate(zip(fields, maps, strict=True)):
        out[...] = 0
        boxes = _boxes(field, out.shape[1:])
        left_out = _outside(rule, field, boxes, area, out.shape[1:])
        unknown = _shares(rule, boxes, objects.regions).sum(axis=1) >= np.float32(rule.unknown)
        if not rule.pixel:
            left_out |= unknown
        overlaps = np.where(left_out[:, None], 0, overlaps_of_corners(boxes, objects.boxes, rule.pixel))
        most, match = _best(overlaps, axis=1)
        highest, _ = _best(overlaps, axis=0)
        best_map[highest > best], best = index, np.maximum(highest, best)
        is_found = most > max(np.float32(rule.foreground), 0)
        values = out.reshape(len(out), -1)
        _write(rule, values, np.flatnonzero(is_found), match[is_found], objects)
        found[match[is_found]] = True
        values[5] = np.where(left_out | (unknown & ~is_found), SURE, most)
    for g in np.flatnonzero(~found & ~objects.ignored & (best >= np.float32(rule.least))):
        _pick_up(rule, int(g), best[g], objects, fields[best_map[g]], maps[best_map[g]])


def _boxes(field: Field, shape: Sequence[int]) -> np.ndarray:
    """The field's boxes x1 y1 x2 y2, row by row of the map."""
    y, x = np.mgrid[: shape[0], : shape[1]].reshape(2, -1)
    middle = (np.column_stack([x, y]) + 0.5) * field.stride
    half = np.array([field.width, field.height]) / 2
    return np.hstack([middle - half, middle + half]).astype(np.float32)


def _outside(
    rule: Rule, field: Field, boxes: np.ndarray, area: Sequence[int], shape: Sequence[int]
) -> np.ndarray:
    """Which places are not of the image, or whose boxes lie too far outside of it."""
    x, y, width, height = area
    rows, columns = np.mgrid[: shape[0], : shape[1]].reshape(2, -1)
    outside = np.zeros(len(boxes), bool)
    for places, start, length in ((columns, x, width), (rows, y, height)):
        first = field.cells(start)
        outside |= (places < first) | (places >= first + field.cells(length))
    if rule.margin is not None:
        margin = np.float32(rule.margin) * np.array([field.width, field.height], np.float32) / np.float32(2)
        low, high = np.array([x, y], np.float32), np.array([x + width, y + height], np.float32)
        outside |= ((boxes[:, :2] < low - margin) | (boxes[:, 2:] >= high + margin)).any(axis=1)
    elif rule.inside is not None:
        image = np.array([[x, y, x + width, y + height]], np.float32)
        outside |= _shares(rule, boxes, image)[:, 0] < np.float32(rule.inside)
    return outside


def _shares(rule: Rule, boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    both, area, _ = common_areas(boxes, others, rule.pixel)
    return both / area[:, None]


def _best(overlaps: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The greatest along an axis and where the first of them is; 0 and 0 where there is nothing."""
    if not overlaps.shape[axis]:
        return np.zeros(overlaps.shape[1 - axis], np.float32), np.zeros(overlaps.shape[1 - axis], int)
    return overlaps.max(axis=axis), overlaps.argmax(axis=axis)


def _write(rule: Rule, values: np.ndarray, places: np.ndarray, match: np.ndarray, objects: Objects) -> None:
    """Class and box (centre and size) of the objects at the places."""
    boxes = objects.boxes[match]
    values[0, places] = np.where(objects.ignored[match], 0, objects.labels[match])
    values[1:3, places] = ((boxes[:, :2] + boxes[:, 2:]) / np.float32(2)).T
    values[3:5, places] = (boxes[:, 2:] - boxes[:, :2] + np.float32(rule.pixel)).T


def _pick_up(
    rule: Rule, g: int, overlap: np.float32, objects: Objects, field: Field, out: np.ndarray
) -> None:
    """Give an object the place nearest to its centre, unless that has one."""
    middle = (objects.boxes[g, :2] + objects.boxes[g, 2:]) / np.float32(2)
    x, y = (
        min(max(int(np.floor(value / np.float32(field.stride))), 0), side - 1)
        for value, side in zip(middle, out.shape[:0:-1], strict=True)
    )
    if not out[0, y, x] > 0:
        place = np.array([y * out.shape[2] + x])
        _write(rule, out.reshape(len(out), -1), place, np.array([g]), objects)
        if rule.pixel:
            out[5, y, x] = overlap
