"""Which detections of SSD are right."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.repetitions import MOST_CLASSES, check_repetitions
from caffe_compat.layers.mscnn.boxes import overlaps_of_corners
from caffe_compat.layers.registry import register
from caffe_compat.layers.ssd.detection_names import image_sizes
from caffe_compat.layers.ssd.resized_boxes import boxes_in_pixels

IMAGE, LABEL = 0, 1
NONE = -1  # as an image or a label: the row is none
SCORE, DETECTED = 2, slice(3, 7)  # columns of bottom[0]
OBJECT, DIFFICULT = slice(3, 7), 7  # columns of bottom[1]
# where Cascade R-CNN has these columns
OF_CASCADE = {7: [0, 5, 6, 1, 2, 3, 4], 8: [0, 5, 6, 1, 2, 3, 4, 7]}


@register("DetectionEvaluate")
class DetectionEvaluate(Layer):
    """Marks detections as right or wrong, for the average precision that a solver computes of them.

    bottom[0]: 1 x 1 x D x 7, rows of image (-1: none), class (-1: none), score, x1 y1 x2 y2: DetectionOutput's top.
    bottom[1]: 1 x 1 x G x 8 objects: image (-1: no more), class, instance, x1 y1 x2 y2, difficult.
    top[0]: 1 x 1 x K x 5. First, for each class but background_label_id, a row of -1, class, its number of objects,
    -1, -1; then for each detection its image, class, score, whether it is right, and whether it is wrong; by image,
    then by class, then (where the image has objects of the class) by descending score.
    With the rows of TextBoxes++ (D x 15, G x 16) it goes by the boxes; polygons are not looked at.
    A detection is for the object of its class that it overlaps most, right if that is overlap_threshold or more and
    no better one had it. Without evaluate_difficult_gt difficult objects do not count, and who finds one is neither
    right nor wrong. With name_size_file (lines of name, height and width) boxes are compared in pixels of the images,
    which come in that order; resize_param is what was made of them.
    Where that file is not there, a warning says so, and they are compared in parts of the images.

    With a third bottom it is Cascade R-CNN's: D x 7 detections (image, x1 y1 x2 y2, class, score) of FrcnnOutput, G x
    8 objects (image, x1 y1 x2 y2, class, ignored, difficult) of EvalData, of which those of class 0 are none, and N x
    2, height and width to which each image was resized; boxes are in pixels of that. name_size_file has to be given;
    where it is not there, that is an error when it is first needed. top[0]: K x 5 x 1 x 1.

    Raises LayerError for params that do not fit, shapes that do not agree, and rows of the background.
    Source: DetectionEvaluateLayer of the SSD fork of Caffe, of zhaoweicai/cascade-rcnn and of TextBoxes++.
    """

    reads = ("detection_evaluate_param",)
    origin = "SSD"
    bottom_count = (2, 3)
    no_gradient = (0, 1, 2)
    without_effect = ("detection_evaluate_param.use_polygon",)  # the rows tell
    has_backward = False
    counts_rows = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = param = self.layer_param.detection_evaluate_param
        if param.num_classes < 1:
            raise self.error("detection_evaluate_param names no num_classes; give it, background included")
        check_repetitions(self, "num_classes", param.num_classes, MOST_CLASSES)
        if not param.overlap_threshold > 0:
            raise self.error(f"overlap_threshold is {param.overlap_threshold:g}; it must be above 0")
        resize = param.resize_param
        if param.HasField("resize_param") and not (resize.height and resize.width):
            raise self.error("resize_param needs a height and a width")
        self.classes = [c for c in range(param.num_classes) if c != param.background_label_id]
        self.image = 0  # of name_size_file
        self.of_cascade = len(bottom) == 3
        self.row_axis = 0 if self.of_cascade else 2
        if self.of_cascade and not param.name_size_file:
            raise self.error("with three bottoms, name_size_file must be given")
        if not self.of_cascade or os.path.exists(param.name_size_file):
            self.sizes  # noqa: B018 - a file that is not right is an error at once

    @cached_property
    def sizes(self) -> list[tuple[str, int, int]]:
        """Name, height and width of the images of name_size_file."""
        path = self.param.name_size_file
        if not path:
            return []
        if self.of_cascade or os.path.exists(path):
            return image_sizes(self, path)
        warnings.warn(
            f"layer '{self.name}' ({self.type}): there is no name_size_file '{path}'; boxes are compared in parts of "
            "the images, not in pixels, which may change the score a little",
            stacklevel=3,
        )
        return []

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many detections there are is known after forward."""
        if self.of_cascade:
            for i, (blob, width) in enumerate(zip(bottom, (7, 8, 2), strict=True)):
                if blob.count != blob.num * width:
                    raise self.error(f"bottom[{i}] has the shape {blob.shape}; expected {(blob.num, width)}")
            top[0].reshape(len(self.classes) + bottom[0].num, 5, 1, 1)
            return
        for i, (width, more) in enumerate(((7, 15), (8, 16))):
            if (
                len(bottom[i].shape) != 4
                or bottom[i].shape[:2] != (1, 1)
                or bottom[i].width not in (width, more)
            ):
                raise self.error(
                    f"bottom[{i}] has the shape {bottom[i].shape}; expected 1 x 1 x rows x {width}"
                )
        top[0].reshape(1, 1, len(self.classes) + bottom[0].height, 5)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        detections, objects = self._rows(bottom[0], 7), self._rows(bottom[1], 8)
        if self.of_cascade:
            self.resized = bottom[2].data.reshape(-1, 2)
        ends = np.flatnonzero(objects[:, IMAGE] == NONE)
        objects = objects[: ends[0]] if ends.size else objects
        detections = detections[detections[:, IMAGE] != NONE]
        found = [np.array([self._count(objects, c) for c in self.classes], np.float32).reshape(-1, 5)]
        for image in np.unique(detections[:, IMAGE]):
            mine, things = (rows[rows[:, IMAGE] == image] for rows in (detections, objects))
            found += [self._judge(rows, things) for rows in _by_class(mine)]
            self.image += 1
        rows = np.concatenate(found)
        shape = (*rows.shape, 1, 1) if self.of_cascade else (1, 1, *rows.shape)
        top[0].reshape(*shape)
        top[0].data[...] = rows.reshape(shape)

    def get_state(self) -> dict[str, np.ndarray]:
        return {"image": np.array(self.image)} if self.param.name_size_file else {}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.image = int(state["image"])

    def _rows(self, blob: Blob, width: int) -> np.ndarray:
        """The rows of a bottom, its images and classes cut to whole numbers."""
        rows = blob.data.reshape(-1, width if self.of_cascade else blob.width)[:, :width].copy()
        if self.of_cascade:
            rows = rows[:, OF_CASCADE[width]]
            rows = rows if width == 7 else rows[rows[:, LABEL] > 0]
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
        if self.of_cascade:
            overlaps = self._overlaps_in_pixels(rows, objects)
        else:
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
            _, height, width = self.sizes[self.image % len(self.sizes)]
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

    def _overlaps_in_pixels(self, rows: np.ndarray, objects: np.ndarray) -> np.ndarray:
        """IoU of each box with each object, after both have been brought to the size of their image."""
        image = int(rows[0, IMAGE])
        if not 0 <= image < len(self.resized):
            raise self.error(f"a detection is of image {image}; bottom[2] has {len(self.resized)} sizes")
        size = np.array(self.sizes[self.image % len(self.sizes)][1:], np.float32)
        height, width = size / self.resized[image]
        scale = np.array([width, height, width, height], np.float32)
        return overlaps_of_corners(rows[:, DETECTED] * scale, objects[:, OBJECT] * scale)


def _areas(boxes: np.ndarray, more: int) -> np.ndarray:
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.where((sides < 0).any(axis=1), 0, (sides + more).prod(axis=1))


def _by_class(rows: np.ndarray) -> list[np.ndarray]:
    """The detections of each class, by class; those of class -1 are none."""
    return [rows[rows[:, LABEL] == label] for label in np.unique(rows[:, LABEL]) if label != NONE]
