"""Detections on disk: a file that grows with each photo, so that an interrupted run can go on; and COCO's format.

The file of a run has JSON lines: first what was run on what, then one line an image, {"image": "000456", "detections":
[[class, x1, y1, x2, y2, score], ...]}.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.build import OnPhoto, silent
from caffe_compat.fast_rcnn.dataset import Dataset
from caffe_compat.fast_rcnn.detect import Detector
from caffe_compat.fast_rcnn.nms import CLASS, SCORE
from caffe_compat.fast_rcnn.read_ahead import read_ahead
from caffe_compat.files import check_writable, replacing

Run = Mapping[str, Any]


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
    detector: Detector,
    dataset: Dataset,
    file: DetectionsFile,
    proposals: str | os.PathLike[str] | None = None,
    on_photo: OnPhoto = silent,
) -> dict[str, np.ndarray]:
    """The detections of a data set, image id -> M x 6: those that the file has, and those of the rest, found now.

    These are added to the file image by image. `on_photo` is told the name of each photo, and how many there are.
    Raises DataError, which names the file, for a photo or proposals that cannot be read, and for a net with another
    number of classes.
    """
    if detector.num_classes != len(dataset.classes):
        raise DataError(
            f"the net has {detector.num_classes} classes, the data set {len(dataset.classes)} with the background; "
            "only a net for its classes can be evaluated on it"
        )
    todo = [image_id for image_id in dataset.image_ids if image_id not in file.found]
    paths = [str(dataset.photo(image_id)) for image_id in todo]
    photos = read_ahead(paths, proposals, dataset.image_ids, detector.has_rpn)
    for image_id, photo in zip(todo, photos, strict=True):
        if isinstance(photo, DataError):
            raise photo
        file.add(image_id, detector(photo.image, photo.proposals))
        on_photo(image_id, len(todo))
    return {image_id: file.found[image_id] for image_id in dataset.image_ids}


def digest(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's content, which tells it from other files."""
    content = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            content.update(chunk)
    return content.hexdigest()


def read_detections(path: str | os.PathLike[str], dataset: Dataset) -> dict[str, np.ndarray]:
    """The detections of a data set's images: from a run's file, or, where the name ends in .json, in COCO's format.

    Raises DataError where the file cannot be read, or a run's file lacks an image.
    """
    if Path(path).suffix == ".json":
        return _read_coco(path, dataset)
    found, image_ids = _read(path)[1], dataset.image_ids
    missing = [image_id for image_id in image_ids if image_id not in found]
    if missing:
        raise DataError(
            f"lacks {len(missing)} of the {len(image_ids)} images of the image set, the first is {missing[0]}; finish "
            "that run, or give its image set",
            file=os.fspath(path),
        )
    return {image_id: found[image_id] for image_id in image_ids}


def coco_results(image_id: str, dets: np.ndarray) -> list[dict[str, Any]]:
    """Detections (M x 6) in COCO's result format: image_id, category_id, bbox (x y width height), score.

    Image ids of digits only become numbers, as in COCO; category ids are the indices of the classes, with 0 for the
    background. Pixels count from 0.
    """
    return [
        {
            "image_id": _coco_id(image_id),
            "category_id": int(row[CLASS]),
            "bbox": [_short(v) for v in (row[1], row[2], row[3] - row[1] + 1, row[4] - row[2] + 1)],
            "score": _short(row[SCORE]),
        }
        for row in dets
    ]


def write_coco(found: Mapping[str, np.ndarray], path: str | os.PathLike[str]) -> None:
    """Write the detections of all images as one file of COCO's result format."""
    results = [one for image_id, dets in found.items() for one in coco_results(image_id, dets)]
    with replacing(path) as temporary, open(temporary, "w") as file:
        json.dump(results, file)


def _coco_id(image_id: str) -> int | str:
    return int(image_id) if image_id.isdecimal() else image_id


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
        run = json.loads(lines[0])["run"] if lines else {}
        found = {}
        for number, text in enumerate(lines[1:], 2):  # noqa: B007  (for the message)
            line = json.loads(text)
            found[line["image"]] = np.array(line["detections"], np.float32).reshape(-1, 6)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"this is no file of detections ({type(error).__name__}: {error}); `caffe-compat evaluate` writes such",
            os.fspath(path),
            number,
        ) from error
    return run, found


def _read_coco(path: str | os.PathLike[str], dataset: Dataset) -> dict[str, np.ndarray]:
    image_ids, most = dataset.image_ids, len(dataset.classes) - 1
    rows: dict[int | str, list[list[float]]] = {_coco_id(image_id): [] for image_id in image_ids}
    try:
        for one in json.loads(_text(path)):
            x, y, width, height = one["bbox"]
            if not 1 <= one["category_id"] <= most:
                raise ValueError(f"category {one['category_id']} is none of the data set's 1 to {most}")
            if one["image_id"] in rows:
                row = [one["category_id"], x, y, x + width - 1, y + height - 1, one["score"]]
                rows[one["image_id"]].append(row)
        arrays = {key: np.array(those, np.float32).reshape(-1, 6) for key, those in rows.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"this is no COCO result file ({type(error).__name__}: {error}): a list of objects with image_id, "
            "category_id, bbox and score",
            file=os.fspath(path),
        ) from error
    return {image_id: arrays[_coco_id(image_id)] for image_id in image_ids}


def _text(path: str | os.PathLike[str]) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read the detections: {reason}", file=os.fspath(path)) from error
