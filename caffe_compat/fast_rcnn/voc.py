"""Reads a VOC devkit: a folder with VOC2007/JPEGImages, VOC2007/Annotations and VOC2007/ImageSets/Main."""

from __future__ import annotations

import difflib
import math
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.dataset import Annotation, GroundTruth

CLASSES = (
    "__background__",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def class_names(num_classes: int) -> Sequence[str]:
    """The names of a net's classes where no data set gives them: VOC's if it has as many, else "class 1" and so on."""
    if num_classes == len(CLASSES):
        return CLASSES
    return CLASSES[0], *(f"class {label}" for label in range(1, num_classes))


class Devkit:
    """One image set of a VOC devkit, as a Dataset; `image_ids` are in the order of its file.

    Raises DataError, which names the file, where a folder or the image set is missing, or the image set is empty.

    Source: the VOC devkit's documentation; the reference's datasets/pascal_voc.py.
    """

    classes = CLASSES

    def __init__(self, path: str | os.PathLike[str], year: int | str = "2007", image_set: str = "trainval"):
        self.name = f"VOC{year} {image_set} of {path}"
        self.folder = Path(path) / f"VOC{year}"
        if not self.folder.is_dir():
            raise DataError(
                f"no folder VOC{year} there; give the folder that holds it, or another year"
                + _there_are(Path(path), "VOC*"),
                file=str(path),
            )
        self.image_ids = self._read_image_set(self.folder / "ImageSets" / "Main" / f"{image_set}.txt")

    def photo(self, image_id: str) -> Path:
        """The path of the photo; the file may be missing."""
        return self.folder / "JPEGImages" / f"{image_id}.jpg"

    def annotation(self, image_id: str, width: int, height: int) -> Annotation:
        """The objects of a photo of width x height pixels, in the order of the file, which counts pixels from 1.

        Fractions of pixels are cut off. Raises DataError, which names the file, where it is missing or malformed, has
        a class that VOC does not have, or a box outside the photo.
        """
        with self._objects(image_id) as objects:
            objects = [one for one in objects if not _is_difficult(one)]
            boxes = [_box(one, width, height) for one in objects]
            classes = [_class(one) for one in objects]
        return Annotation(np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int32))

    def truth(self, image_id: str) -> GroundTruth:
        """The objects of a photo in the order of the file, difficult ones too; fractions of pixels are cut off.

        Raises DataError as `annotation` does, but not for boxes outside the photo.
        """
        with self._objects(image_id) as objects:
            boxes = [[math.trunc(corner) for corner in _corners_of(one)] for one in objects]
            classes = [_class(one) for one in objects]
            difficult = [_is_difficult(one) for one in objects]
        return GroundTruth(
            np.array(boxes, np.float64).reshape(-1, 4), np.array(classes, np.int32), np.array(difficult, bool)
        )

    @contextmanager
    def _objects(self, image_id: str) -> Iterator[list[ElementTree.Element]]:
        """The object elements of an annotation; errors in the block name its file."""
        path = self.folder / "Annotations" / f"{image_id}.xml"
        root = read_annotation(path)
        try:
            yield root.findall("object")
        except ValueError as error:
            raise _unreadable(path, str(error)) from error
        except DataError as error:
            raise error.at(str(path)) from None

    @staticmethod
    def _read_image_set(path: Path) -> list[str]:
        try:
            lines = path.read_text(errors="replace").splitlines()
        except OSError as error:
            raise DataError(
                f"cannot read the image set: {error.strerror}; give another one"
                + _there_are(path.parent, "*.txt"),
                file=str(path),
            ) from error
        image_ids = [line.strip() for line in lines if line.strip()]
        if not image_ids:
            raise DataError("the image set is empty; it should have an image id a line", file=str(path))
        return image_ids


def read_annotation(path: Path) -> ElementTree.Element:
    """The root of an annotation. Raises DataError, which names the file, where it is missing or malformed."""
    try:
        return ElementTree.fromstring(path.read_bytes())
    except ElementTree.ParseError as error:
        line, column = error.position
        raise DataError(f"malformed XML: {error}; mend it", str(path), line, column + 1) from error
    except (OSError, ValueError, LookupError) as error:  # LookupError: an encoding that nobody knows
        raise _unreadable(path, error.strerror if isinstance(error, OSError) else str(error)) from error


def _unreadable(path: Path, reason: str | None) -> DataError:
    return DataError(
        f"cannot read the annotation: {reason}; mend it, or leave {path.stem} out of the image set",
        file=str(path),
    )


def _there_are(folder: Path, pattern: str) -> str:
    names = sorted(path.stem for path in folder.glob(pattern))
    return f" (there: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''})" if names else ""


def _class(element: ElementTree.Element) -> int:
    name = element.findtext("name", "").lower().strip()
    if name not in CLASSES[1:]:
        near = difflib.get_close_matches(name, CLASSES[1:], n=1)
        hint = f"did you mean '{near[0]}'?" if near else "the classes are " + ", ".join(CLASSES[1:])
        raise DataError(f"an object has the class '{name}', which VOC does not have; {hint}")
    return CLASSES.index(name)


def _is_difficult(element: ElementTree.Element) -> bool:
    return int(element.findtext("difficult", "0")) != 0


def _box(element: ElementTree.Element, width: int, height: int) -> list[int]:
    x1, y1, x2, y2 = (math.trunc(corner - 1) for corner in _corners_of(element))
    if not (0 <= x1 <= x2 < width and 0 <= y1 <= y2 < height):
        raise DataError(
            f"an object's box {_as_found(element)} is not inside the photo of {width} x {height} pixels; pixels "
            "count from 1, and xmin is at most xmax; mend it"
        )
    return [x1, y1, x2, y2]


def _corners_of(element: ElementTree.Element) -> list[float]:
    try:
        corners = [float(text) for text in _texts(element)]
    except ValueError:
        corners = [math.nan]
    if not all(map(math.isfinite, corners)):
        raise DataError(f"an object's box is {_as_found(element)}; four numbers are expected")
    return corners


def _as_found(element: ElementTree.Element) -> str:
    return " ".join(
        f"{corner}={text.strip()}" for corner, text in zip(_CORNERS, _texts(element), strict=True)
    )


def _texts(element: ElementTree.Element) -> list[str]:
    return [element.findtext(f"bndbox/{corner}", "nothing") for corner in _CORNERS]
