"""Which detections of SSD are right."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.layers.ssd.detection_names import image_sizes
from caffe_compat.layers.ssd.resized_boxes import boxes_in_pixels

IMAGE, LABEL = 0, 1
NONE = -1  # as an image or a label: the row is none
SCORE, DETECTED = 2, slice(3, 7)  # columns of bottom[0]
OBJECT, DIFFICULT = slice(3, 7), 7  # columns of bottom[1]


@register("DetectionEvaluate")
class DetectionEvaluate(Layer):
    """Marks detections as right or wrong, for the average precision that a solver computes of them.

    bottom[0]: 1 x 1 x D x 7, rows of image (-1: none), class (-1: none), score, x1 y1 x2 y2: DetectionOutput's top.
    bottom[1]: 1 x 1 x G x 8 objects: image (-1: no more), class, instance, x1 y1 x2 y2, difficult.
    top[0]: 1 x 1 x K x 5. First, for each class but background_label_id, a row of -1, class, its number of objects,
    -1, -1; then for each detection its image, class, score, whether it is right, and whether it is wrong; by image,
    then by class, then (where the image has objects of the class) by descending score.
    A detection is for the object of its class that it overlaps most, right if that is overlap_threshold or more and
    no better one had it. Without evaluate_difficult_gt difficult objects do not count, and who finds one is neither
    right nor wrong. With name_size_file (lines of name, height and width) boxes are compared in pixels of the images,
    which come in that order; resize_param is what was made of them.
    Where that file is not there, a warning says so, and they are compared in parts of the images.
    Raises LayerError for params that do not fit, shapes that do not agree, and rows of the background.
    Source: DetectionEvaluateLayer of the SSD fork of Caffe.
    """

    reads = ("detection_evaluate_param",)
    origin = "SSD"
    bottom_count = (2, 2)
    no_gradient = (0, 1)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = param = self.layer_param.detection_evaluate_param
        if param.num_classes < 1:
            raise self.error("detection_evaluate_param names no num_classes; give it, background included")
        if not param.overlap_threshold > 0:
            raise self.error(f"overlap_threshold is {param.overlap_threshold:g}; it must be above 0")
        resize = param.resize_param
        if param.HasField("resize_param") and not (resize.height and resize.width):
            raise self.error("resize_param needs a height and a width")
        self.classes = [c for c in range(param.num_classes) if c != param.background_label_id]
        self.sizes = self._read_sizes(param.name_size_file) if param.name_size_file else []
        self.image = 0  # of name_size_file

    def _read_sizes(self, path: str) -> list[tuple[str, int, int]]:
        if os.path.exists(path):
            return image_sizes(self, path)
        warnings.warn(
            f"layer '{self.name}' ({self.type}): there is no name_size_file '{path}'; boxes are compared in parts of "
            "the images, not in pixels, which may change the score a little",
            stacklevel=3,
        )
        return []

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many detections there are is known after forward."""
        for i, width in enumerate((7, 8)):
            if len(bottom[i].shape) != 4 or bottom[i].shape[:2] != (1, 1) or bottom[i].width != width:
                raise self.error(
                    f"bottom[{i}] has the shape {bottom[i].shape}; expected 1 x 1 x rows x {width}"
                )
        top[0].reshape(1, 1, len(self.classes) + bottom[0].height, 5)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        detections, objects = self._rows(bottom[0], 7), self._rows(bottom[1], 8)
        ends = np.flatnonzero(objects[:, IMAGE] == NONE)
        objects = objects[: ends[0]] if ends.size else objects
        detections = detections[detections[:, IMAGE] != NONE]
        found = [np.array([self._count(objects, c) for c in self.classes], np.float32).reshape(-1, 5)]
        for image in np.unique(detections[:, IMAGE]):
            mine, things = (rows[rows[:, IMAGE] == image] for rows in (detections, objects))
            found += [self._judge(rows, things) for rows in _by_class(mine)]
            self.image = (self.image + 1) % len(self.sizes) if self.sizes else 0
        rows = np.concatenate(found)
        top[0].reshape(1, 1, *rows.shape)
        top[0].data[...] = rows

    def get_state(self) -> dict[str, np.ndarray]:
        return {"image": np.array(self.image)} if self.sizes else {}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.image = int(state["image"]) % max(1, len(self.sizes))

    def _rows(self, blob: Blob, width: int) -> np.ndarray:
        """The rows of a bottom, its images and classes cut to whole numbers."""
        rows = blob.data.reshape(-1, width).copy()
        if not np.isfinite(rows[:, [IMAGE, LABEL]]).all():
            raise self.error(f"images and classes in the rows of {width} numbers are not finite")
        rows[:, [IMAGE, LABEL]] = np.trunc(rows[:, [IMAGE, LABEL]])
        if (rows[rows[:, IMAGE] != NONE, LABEL] == self.param.background_label_id).any():
            raise self.error(
                f"the rows of {width} numbers have the background, {self.param.background_label_id}"
            )
        return rows

    def _count(self, objects: np.ndarray, label: int) -> tuple[int, int, int, int, int]:
        counts = objects[:, LABEL] == label
        if not self.param.evaluate_difficult_gt:
            counts &= objects[:, DIFFICULT] == 0
        return NONE, label, int(counts.sum()), NONE, NONE

    def _judge(self, rows: np.ndarray, objects: np.ndarray) -> np.ndarray:
        """What the top has of the detections of one class in one image."""
        objects = objects[objects[:, LABEL] == rows[0, LABEL]]
        if not len(objects):
            return np.column_stack([rows[:, : SCORE + 1], np.zeros(len(rows)), np.ones(len(rows))])
        rows = rows[np.argsort(-rows[:, SCORE], kind="stable")]
        overlaps = self._overlaps(rows[:, DETECTED], objects[:, OBJECT])
        best, most = overlaps.argmax(axis=1), overlaps.max(axis=1)
        taken, right, wrong = np.zeros(len(objects), bool), np.zeros(len(rows)), np.zeros(len(rows))
        for i, thing in enumerate(best):
            if most[i] < np.float32(self.param.overlap_threshold):
                wrong[i] = 1
            elif self.param.evaluate_difficult_gt or not objects[thing, DIFFICULT]:
                (wrong if taken[thing] else right)[i] = 1
                taken[thing] = True
        return np.column_stack([rows[:, : SCORE + 1], right, wrong])

    def _overlaps(self, boxes: np.ndarray, things: np.ndarray) -> np.ndarray:
        """IoU of each of the boxes with each of the things; in pixels, a width is x2 - x1 + 1."""
        more = 0
        if self.sizes:
            _, height, width = self.sizes[self.image]
            boxes, things = (
                boxes_in_pixels(b, height, width, self.param.resize_param) for b in (boxes, things)
            )
            more = int(width > 1 or height > 1)
        low, high = (
            np.maximum(boxes[:, None, :2], things[:, :2]),
            np.minimum(boxes[:, None, 2:], things[:, 2:]),
        )
        sides = np.where((high >= low).all(axis=2, keepdims=True), high - low, 0) + bool(self.sizes)
        common = np.where((sides > 0).all(axis=2), sides.prod(axis=2), 0)
        with np.errstate(all="ignore"):
            shares = common / (_areas(boxes, more)[:, None] + _areas(things, more) - common)
        return np.where((common > 0) & np.isfinite(shares), shares, 0)


def _areas(boxes: np.ndarray, more: int) -> np.ndarray:
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.where((sides < 0).any(axis=1), 0, (sides + more).prod(axis=1))


def _by_class(rows: np.ndarray) -> list[np.ndarray]:
    """The detections of each class, by class; those of class -1 are none."""
    return [rows[rows[:, LABEL] == label] for label in np.unique(rows[:, LABEL]) if label != NONE]
