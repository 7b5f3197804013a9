"""Detections on disk: a file that grows with each photo, so that an interrupted run can go on; and COCO's format.

The file of a run has JSON lines: first what was run on what, then one line an image, {"image": "000456", "detections":
[[class, x1, y1, x2, y2, score], ...]}.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from caffe_compat.engines.group import Group
from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.build import OnPhoto, silent
from caffe_compat.fast_rcnn.classes import BACKGROUND
from caffe_compat.fast_rcnn.coco_numbers import CocoNumbers
from caffe_compat.fast_rcnn.dataset import Dataset
from caffe_compat.fast_rcnn.detector import PhotoDetector
from caffe_compat.fast_rcnn.nms import CLASS, SCORE
from caffe_compat.fast_rcnn.read_ahead import read_ahead
from caffe_compat.files import check_writable, parse_json, replacing

Run = Mapping[str, Any]

_BEFORE_THEY_MEET = 8  # photos of each of several workers: they wait for the slowest one then


class DetectionsFile:
    """The detections of a run (`found`, image id -> M x 6 float32), each image's written when they are added.

    run: all that the detections depend on, as JSON. An existing file is continued if its run is the same; a line that
    an interrupted run has written by half is dropped. Close the object, or use it in a `with`.
    Raises DataError where the file is of another run or cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str], run: Run):
        self.found: dict[str, np.ndarray] = {}
        check_writable(path)
        if os.path.exists(path):
            before, self.found = _read(path)
            differ = [key for key in run if before.get(key) != run[key]]
            if differ:
                raise DataError(
                    f"has the detections of another run, with another {', '.join(differ)}; remove it, or give another "
                    "place",
                    file=os.fspath(path),
                )
        with replacing(path) as temporary, open(temporary, "w") as file:
            _write_line(file, {"run": run})
            for image_id, dets in self.found.items():
                _write_line(file, _as_line(image_id, dets))
        self._file = open(path, "a", buffering=1)  # noqa: SIM115  (open for the whole run)

    def add(self, image_id: str, dets: np.ndarray) -> None:
        """Keep the detections of an image, M x 6."""
        self.found[image_id] = dets
        _write_line(self._file, _as_line(image_id, dets))

    def __enter__(self) -> DetectionsFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def detect_all(
    detector: PhotoDetector,
    dataset: Dataset,
    file: DetectionsFile | None,
    proposals: str | os.PathLike[str] | None = None,
    on_photo: OnPhoto = silent,
    group: Group | None = None,
) -> dict[str, np.ndarray]:
    """The detections of a data set, image id -> M x 6: those that the file has, and those of the rest, found now.

    These are added to the file image by image. `on_photo` is told the name of each photo, and how many there are.
    The workers of a group share the photos out; the file is the first one's, the others give None and get no
    detections.

    Raises DataError, which names the file, for a photo or proposals that cannot be read, and for a net with another
    number of classes.
    """
    check_classes(detector.num_classes, dataset)
    group = group or Group()
    missing = [image_id for image_id in dataset.image_ids if file and image_id not in file.found]
    todo = group.gather(missing)[0]
    own = group.share(todo)
    paths = [str(dataset.photo(image_id)) for image_id in own]
    photos = read_ahead(paths, proposals, own, dataset.image_ids, detector.takes_proposals)
    at_once = group.count * (1 if group.count == 1 else _BEFORE_THEY_MEET)
    for start in range(0, len(todo), at_once):
        these = todo[start : start + at_once]
        found = []
        for photo in islice(photos, len(group.share(these))):
            if isinstance(photo, DataError):
                raise photo
            found.append(detector(photo.image, photo.proposals))
            group.photos_read += 1
        for image_id, dets in zip(these, group.in_order(found), strict=True):
            if file:
                file.add(image_id, dets)
            on_photo(image_id, len(todo))
    return {image_id: file.found[image_id] for image_id in dataset.image_ids} if file else {}


def check_classes(num_classes: int, dataset: Dataset) -> None:
    """Raise DataError where a net of so many classes, with the background, cannot be evaluated on a data set."""
    if num_classes != len(dataset.classes):
        raise DataError(
            f"the net has {num_classes} classes, {dataset.name} has {len(dataset.classes)}, both with the background; "
            f"give the names of the net's {num_classes - 1} with --classes, in the order of its training"
        )


def digest(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's content, which tells it from other files. Raises DataError where it cannot be read."""
    content = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                content.update(chunk)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=os.fspath(path)) from error
    return content.hexdigest()


def read_detections(path: str | os.PathLike[str], dataset: Dataset) -> dict[str, np.ndarray]:
    """The detections of a data set's images: from a run's file, or, where the name ends in .json, in COCO's format.

    Raises DataError where the file cannot be read, or a run's file lacks an image.
    """
    if Path(path).suffix == ".json":
        return _read_coco(path, dataset)
    run, found = _read(path)
    classes, image_ids = run.get("classes", dataset.classes[1:]), dataset.image_ids
    if list(classes) != list(dataset.classes[1:]):
        raise DataError(
            f"has detections of the classes {', '.join(classes)}, and those of the data set are "
            f"{', '.join(dataset.classes[1:])}; give --classes as that run did",
            file=os.fspath(path),
        )
    missing = [image_id for image_id in image_ids if image_id not in found]
    if missing:
        raise DataError(
            f"lacks {len(missing)} of the {len(image_ids)} images of the image set, the first is {missing[0]}; finish "
            "that run, or give its image set",
            file=os.fspath(path),
        )
    return {image_id: found[image_id] for image_id in image_ids}


def read_classes_of_run(path: str | os.PathLike[str]) -> Sequence[str] | None:
    """The classes of a run, the background's first, from its file; None where it does not tell. Raises DataError."""
    if Path(path).suffix == ".json":
        return None
    classes = _read(path)[0].get("classes")
    return None if classes is None else (BACKGROUND, *classes)


def coco_results(
    image_id: str, dets: np.ndarray, numbers: CocoNumbers, named: bool = False
) -> list[dict[str, Any]]:
    """Detections (M x 6) in COCO's result format: image_id, category_id, bbox (x y width height), score.

    Pixels count from 0. named: with category_name too, which COCO's tools pass over.
    """
    return [
        {
            "image_id": numbers.image(image_id),
            "category_id": numbers.category(int(row[CLASS])),
            **({"category_name": numbers.classes[int(row[CLASS])]} if named else {}),
            "bbox": [_short(v) for v in (row[1], row[2], row[3] - row[1] + 1, row[4] - row[2] + 1)],
            "score": _short(row[SCORE]),
        }
        for row in dets
    ]


def write_coco(
    found: Mapping[str, np.ndarray],
    path: str | os.PathLike[str],
    numbers: CocoNumbers,
    named: bool = False,
) -> None:
    """Write the detections of all images as one file of COCO's result format (`coco_results`)."""
    results = [
        one for image_id, dets in found.items() for one in coco_results(image_id, dets, numbers, named)
    ]
    with replacing(path) as temporary, open(temporary, "w") as file:
        json.dump(results, file)


def coco_numbers(dataset: Dataset) -> CocoNumbers:
    """The numbers of a data set's images and classes in COCO's files."""
    return dataset.coco_numbers if hasattr(dataset, "coco_numbers") else CocoNumbers(dataset.classes)


def _short(value: np.float32) -> float:
    """The shortest decimal number that gives the same float32."""
    return float(str(np.float32(value)))


def _as_line(image_id: str, dets: np.ndarray) -> dict[str, Any]:
    return {"image": image_id, "detections": [[_short(value) for value in row] for row in dets]}


def _write_line(file: TextIO, line: Any) -> None:
    file.write(json.dumps(line, separators=(",", ":")) + "\n")


def _read(path: str | os.PathLike[str]) -> tuple[Run, dict[str, np.ndarray]]:
    lines = _text(path).splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    number = 1
    try:
        run = parse_json(lines[0])["run"] if lines else {}
        found = {}
        for number, text in enumerate(lines[1:], 2):  # noqa: B007  (for the message)
            line = parse_json(text)
            found[line["image"]] = np.array(line["detections"], np.float32).reshape(-1, 6)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"this is no file of detections ({type(error).__name__}: {error}); `caffe-compat evaluate` writes such",
            os.fspath(path),
            number,
        ) from error
    return run, found


def _read_coco(path: str | os.PathLike[str], dataset: Dataset) -> dict[str, np.ndarray]:
    numbers = coco_numbers(dataset)
    images: dict[Any, str] = dict(numbers.stems)
    images.update({numbers.image(image_id): image_id for image_id in dataset.image_ids})
    labels: dict[Any, int] = {numbers.category(label): label for label in range(1, len(dataset.classes))}
    names = {name: label for label, name in enumerate(dataset.classes) if label}
    rows: dict[str, list[list[float]]] = {image_id: [] for image_id in dataset.image_ids}
    try:
        for one in parse_json(_text(path)):
            x, y, width, height = one["bbox"]
            label = (
                names.get(one["category_name"]) if "category_name" in one else labels.get(one["category_id"])
            )
            if label is None:
                raise ValueError(
                    f"category {one.get('category_name', one['category_id'])} is none of the data set's: "
                    + ", ".join(f"{number} {dataset.classes[label]}" for number, label in labels.items())
                )
            if one["image_id"] in images:
                row = [label, x, y, x + width - 1, y + height - 1, one["score"]]
                rows[images[one["image_id"]]].append(row)
        return {image_id: np.array(those, np.float32).reshape(-1, 6) for image_id, those in rows.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"this is no COCO result file ({type(error).__name__}: {error}): a list of objects with image_id, "
            "category_id, bbox and score",
            file=os.fspath(path),
        ) from error


def _text(path: str | os.PathLike[str]) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read the detections: {reason}", file=os.fspath(path)) from error
