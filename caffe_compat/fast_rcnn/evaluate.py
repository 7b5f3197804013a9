"""Evaluation of detections as PASCAL VOC does it: result files, precision and recall, average precision.

Detections of a data set are a dict: image id -> M x 6 float32, as detect.Detector gives them.

Source: datasets/pascal_voc.py and voc_eval.py of the reference; VOC's development kit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from caffe_compat.errors import CaffeCompatError
from caffe_compat.fast_rcnn.dataset import Dataset, objects_of
from caffe_compat.fast_rcnn.nms import BOX, CLASS, SCORE
from caffe_compat.files import replacing
from caffe_compat.layers.kernels.detection_matches import RIGHT, WRONG, match

Found = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class ClassResult:
    """How well the objects of one class were found.

    objects: their number, without difficult ones. recall, precision: float64, one value a detection, by descending
    score. ap_07: average precision as VOC defined it until 2009, the mean of the best precision at 11 recalls.
    ap_area: as defined since then, the area under the curve. Without objects ap_07 is 0, as in the reference, and
    ap_area NaN.
    """

    name: str
    objects: int
    recall: np.ndarray
    precision: np.ndarray
    ap_07: float
    ap_area: float


@dataclass(frozen=True)
class Evaluation:
    """The results of all classes. As in the reference, the means count classes without objects too."""

    classes: list[ClassResult]

    @property
    def mean_ap_07(self) -> float:
        return float(np.mean([one.ap_07 for one in self.classes]))

    @property
    def mean_ap_area(self) -> float:
        """NaN where a class has no objects."""
        return float(np.mean([one.ap_area for one in self.classes]))

    @property
    def with_objects(self) -> Evaluation:
        """The results of only those classes that have objects."""
        return Evaluation([one for one in self.classes if one.objects])


def result_lines(found: Found, label: int) -> list[str]:
    """The lines of a class's result file: image id, score with 3 decimals, x1 y1 x2 y2 with one, counted from 1.

    In the order of the images, then of their detections. Image ids may have blanks.
    """
    return [
        f"{image_id} {row[SCORE]:.3f} " + " ".join(f"{corner + 1:.1f}" for corner in row[BOX])
        for image_id, dets in found.items()
        for row in dets[dets[:, CLASS] == label]
    ]


def write_results(
    found: Found, folder: str | os.PathLike[str], image_set: str, classes: Sequence[str]
) -> list[Path]:
    """Write VOC's result files, comp4_det_IMAGESET_CLASS.txt, into a folder, which is made; returns their paths. A /
    in a class's name is a _ there.

    Raises CaffeCompatError where they cannot be written.
    """
    paths = []
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CaffeCompatError(f"cannot make the folder: {error.strerror}", file=os.fspath(folder)) from error
    for label, name in enumerate(classes[1:], 1):
        path = Path(folder) / f"comp4_det_{image_set}_{file_name(name)}.txt"
        with replacing(path) as temporary, open(temporary, "w") as file:
            file.writelines(f"{line}\n" for line in result_lines(found, label))
        paths.append(path)
    return paths


def file_name(name: str) -> str:
    """The name of a class or of an image set as a part of a file's."""
    return name.replace("/", "_")


def evaluate(
    found: Found,
    dataset: Dataset,
    overlap: float = 0.5,
    on_image: Callable[[str], None] = lambda name: None,
) -> Evaluation:
    """How well the objects of a data set were found, by class. `on_image` is told the id of each image that is read.

    Images that `found` lacks have no detections. Scores and boxes are rounded as in the result files. A detection is
    for the object of its class that it overlaps most, where that is more than `overlap`. It is right if it is the best
    one for its object, and neither right nor wrong if the object is difficult. Raises DataError.
    """
    truth, names = _GroundTruths(dataset, on_image), dataset.classes[1:]
    lines = [result_lines(found, label) for label in range(1, len(dataset.classes))]
    parts = [_from_lines(of_class, dataset.image_ids) for of_class in lines]
    starts = np.cumsum([0] + [len(scores) for _, scores, _ in parts])
    images, _, boxes = (np.concatenate(column) for column in zip(*parts, strict=True))
    outcome = np.empty(len(images), np.int8)
    taken = np.zeros(len(truth.boxes), bool)
    match(boxes, images, starts, truth.boxes, truth.starts, truth.difficult, overlap, taken, outcome)
    return Evaluation(
        [
            _class_result(name, outcome[starts[c] : starts[c + 1]], truth.objects(c))
            for c, name in enumerate(names)
        ]
    )


class _GroundTruths:
    """The objects of a data set, by class and then by image; `starts` is classes x (images + 1)."""

    def __init__(self, dataset: Dataset, on_image: Callable[[str], None]):
        found = []
        for image_id in dataset.image_ids:
            found.append(objects_of(dataset, image_id))
            on_image(image_id)
        classes = np.concatenate([one.classes for one in found])
        images = np.repeat(np.arange(len(found)), [len(one.classes) for one in found])
        order = np.lexsort((images, classes))
        self.boxes = np.concatenate([one.boxes for one in found])[order] + 1  # result files count from 1
        self.difficult = np.concatenate([one.ignored for one in found])[order]
        self._classes = classes[order]
        cells = (self._classes - 1).astype(np.int64) * len(found) + images[order]
        count = len(dataset.classes) - 1
        edges = np.searchsorted(cells, np.arange(count * len(found) + 1))
        rows = np.arange(count)[:, None] * len(found)
        self.starts = edges[rows + np.arange(len(found) + 1)]

    def objects(self, c: int) -> int:
        """The number of objects of a class, without difficult ones; 0 is the first class after the background."""
        return int(np.count_nonzero((self._classes == c + 1) & ~self.difficult))


def _from_lines(lines: Sequence[str], image_ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image numbers, scores and boxes of result lines, by descending score."""
    number = {image_id: i for i, image_id in enumerate(image_ids)}
    words = [row for row in (line.rsplit(" ", 5) for line in lines) if row[0] in number]
    values = np.array([[float(word) for word in row[1:]] for row in words]).reshape(-1, 5)
    order = np.argsort(-values[:, 0], kind="stable")
    images = np.array([number[row[0]] for row in words], np.int64)
    return images[order], values[order, 0], np.ascontiguousarray(values[order, 1:])


def _class_result(name: str, outcome: np.ndarray, objects: int) -> ClassResult:
    right, wrong = np.cumsum(outcome == RIGHT), np.cumsum(outcome == WRONG)
    recall = right / objects if objects else np.full(len(outcome), np.nan)
    # while all detections are on difficult objects none counts yet
    precision = right / np.maximum(right + wrong, np.finfo(np.float64).eps)
    area = average_precision(recall, precision) if objects else float("nan")
    return ClassResult(name, objects, recall, precision, average_precision_07(recall, precision), area)


def average_precision_07(recall: np.ndarray, precision: np.ndarray) -> float:
    """The mean, over recalls of 0, 0.1, ... 1, of the best precision at that recall or more; 0 if it is not reached."""
    return sum(precision[recall >= at].max(initial=0.0) / 11.0 for at in np.arange(0.0, 1.1, 0.1))


def average_precision(recall: np.ndarray, precision: np.ndarray) -> float:
    """The area under the curve of the best precision at each recall or more."""
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * best))
