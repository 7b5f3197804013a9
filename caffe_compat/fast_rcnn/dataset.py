"""What a data set is: photos, and the objects that are annotated in them. voc.Devkit and coco.CocoFile are two.

docs/your_own_data.md has a reader of one's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.photo_header import read_header


class UnknownClass(DataError):  # noqa: N818
    """An object has a class that is none of the data set's."""


@dataclass(frozen=True)
class Objects:
    """The G objects annotated in a photo. Lists are taken too, and are made arrays.

    boxes: G x 4 float64, x1 y1 x2 y2 in pixels that count from 0, both corners inside; as they are annotated, be they
    in the photo or not. classes: G int32, indices into the data set's classes, 1 or more. difficult: G bool, by default
    none; these are not learned from, and finding them is neither right nor wrong. crowd: G bool, by default none; as
    difficult, and RoIs that lie in them are no background either.

    For messages and checks: `file`, where they are annotated; `counts_from`, the number of the first pixel there;
    `size`, the width and height that the annotation says the photo has; `turned`, whether the boxes were turned with
    the photo (`objects_of`).

    Raises DataError where the shapes do not fit.
    """

    boxes: Any
    classes: Any
    difficult: Any = None
    crowd: Any = None
    file: str | None = None
    counts_from: int = 0
    size: tuple[int, int] | None = None
    turned: bool = False

    def __post_init__(self) -> None:
        boxes, classes = np.asarray(self.boxes, np.float64), np.asarray(self.classes, np.int32)
        count = len(classes) if classes.ndim == 1 else -1
        arrays: dict[str, np.ndarray] = {
            "boxes": boxes if boxes.size else boxes.reshape(0, 4),
            "classes": classes,
        }
        for name in ("difficult", "crowd"):
            given = getattr(self, name)
            arrays[name] = np.zeros(max(0, count), bool) if given is None else np.asarray(given, bool)
        for name, array in arrays.items():
            if array.shape != ((count, 4) if name == "boxes" else (count,)):
                raise DataError(
                    f"{name} has the shape {array.shape}; expected G x 4 boxes, and G of classes, difficult and "
                    "crowd",
                    file=self.file,
                )
            object.__setattr__(self, name, array)

    @property
    def ignored(self) -> np.ndarray:
        """G bool: difficult, or a crowd."""
        return self.difficult | self.crowd


class Dataset(Protocol):
    """Photos in a fixed order, each with an image id, and the objects annotated in them.

    A data set may have more, of which use is made where it is there:

        annotated_names         how often each name of a class is annotated, one of `classes` or not (str -> int):
                                check-data says which are none
        skip_other_classes      bool, which check-data sets: objects of other classes are left out, and are no error
        image_set, folder       str and Path, for the names of files and folders with results, in place of `name`
        coco_numbers            CocoNumbers of the data's own; evaluate takes COCO's measure, too
        coco_annotations(id)    the objects of a photo as COCO's files have them, with what `Objects` does not have,
                                and their classes for category_id
    """

    @property
    def name(self) -> str:
        """The name of the data set in messages."""

    @property
    def classes(self) -> Sequence[str]:
        """The names of the classes; the first is the background's."""

    @property
    def image_ids(self) -> Sequence[str]: ...

    def photo(self, image_id: str) -> Path:
        """The path of the photo; the file may be missing."""

    def objects(self, image_id: str) -> Objects:
        """The objects of a photo. Raises DataError, which names the file."""


class Some:
    """Some of the images of a data set, which else is as it is."""

    def __init__(self, dataset: Dataset, image_ids: Sequence[str]):
        self._dataset, self.image_ids = dataset, image_ids

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)


def objects_of(dataset: Dataset, image_id: str) -> Objects:
    """The objects of a photo as `images.read_photo` gives it: turned upright, as EXIF says.

    Labelling tools, and the OpenCV of the reference's days, take photos as they are stored: where the annotation says
    that its photo is of that size, its boxes are turned. Raises DataError where `Dataset.objects` does, and for a class
    that is none.
    """
    found, classes = dataset.objects(image_id), dataset.classes
    wrong = (found.classes < 1) | (found.classes >= len(classes))
    if wrong.any():
        raise UnknownClass(
            f"an object of {image_id} has the class {found.classes[wrong][0]}; the {len(classes) - 1} classes of "
            f"{dataset.name} count from 1, as 0 is the background",
            file=found.file,
        )
    return _turned(found, dataset.photo(image_id)) if found.size else found


def _turned(objects: Objects, photo: Path) -> Objects:
    try:
        header = read_header(photo)
    except DataError:  # whoever reads the photo says what is wrong with it
        return objects
    if (
        not header.is_turned
        or objects.size != (header.width, header.height)
        or objects.size == header.upright
    ):
        return objects
    return replace(objects, boxes=header.turn(objects.boxes), size=header.upright, turned=True)


def class_counts(dataset: Dataset) -> dict[str, int]:
    """How many objects there are of each class, by its name, 0 too, in the order of the classes; reads all annotations.

    Raises DataError where `objects_of` does.
    """
    counts: Counter[int] = Counter()
    for image_id in dataset.image_ids:
        counts.update(objects_of(dataset, image_id).classes.tolist())
    return {name: counts[label] for label, name in enumerate(dataset.classes) if label}
