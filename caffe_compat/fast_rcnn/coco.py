"""Reads data in COCO's form: one JSON file with the boxes of all photos (instances_train2017.json)."""

from __future__ import annotations

import math
import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Any

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.classes import BACKGROUND, ClassIndex, is_background, unknown_class
from caffe_compat.fast_rcnn.coco_numbers import CocoNumbers
from caffe_compat.fast_rcnn.dataset import Objects, UnknownClass
from caffe_compat.files import parse_json, read_text

_KEPT = ("image_id", "category_id", "bbox", "area", "iscrowd")  # of an annotation


class CocoFile:
    """The photos of a file of COCO's instances, as a Dataset; `image_ids` are its images' ids, in its order, as text.

    path: the JSON. photos: the folder of the photos, by default the JSON's. classes: their names, the background's
    first; default: those of the file's categories, by ascending id. skip_other_classes: leave out the objects of all
    other classes.

    Fractions of pixels are cut off, and so is a pixel over the photo's edge; objects without a width or height are left
    out, and those of images that are not in the file; one warning says how many. Crowds (iscrowd) are `Objects.crowd`.
    Raises DataError, which names the file, where it is none of COCO's; what is wrong with one annotation is an error of
    its image.

    Source: COCO's data format; datasets/coco.py of py-faster-rcnn.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        photos: str | os.PathLike[str] | None = None,
        classes: Sequence[str] | None = None,
        skip_other_classes: bool = False,
    ):
        self.path = Path(path)
        self.folder = self.path.parent if photos is None else Path(photos)
        self.name = self.path.stem
        self.skip_other_classes = skip_other_classes
        content = _read(self.path)
        numbers = [one["id"] for one in content["categories"]]
        names = {_key(one["id"]): str(one["name"]).strip() for one in content["categories"]}
        self._names = {key: names[key] for key in map(_key, sorted(numbers, key=_by_kind))}
        self._categories = {_key(number): number for number in numbers}
        own = dict.fromkeys(name for name in self._names.values() if not is_background(name))
        self.classes = (BACKGROUND, *own) if classes is None else tuple(classes)
        index = ClassIndex(self.classes)
        self._labels = {key: index.get(name) for key, name in self._names.items()}
        self._images = {_key(one["id"]): one for one in content["images"]}
        self.image_ids = list(self._images)
        self.annotations: dict[str, list[Mapping[str, Any]]] = {image_id: [] for image_id in self._images}
        self._faults: dict[str, str] = {}  # the first one of an image
        self._take(content["annotations"])

    @cached_property
    def annotated_names(self) -> Counter[str]:
        """How often each name of a category stands in the annotations, be it one of `classes` or not."""
        return Counter(
            self._names[_key(one["category_id"])] for those in self.annotations.values() for one in those
        )

    @cached_property
    def coco_numbers(self) -> CocoNumbers:
        """The file's ids of images and categories."""
        categories = {
            label: self._categories[key] for key, label in self._labels.items() if label is not None
        }
        whole = [number for number in self._categories.values() if isinstance(number, int)]
        free = max(whole, default=0) + 1  # for classes that are no category of this file
        return CocoNumbers(
            self.classes,
            {image_id: one["id"] for image_id, one in self._images.items()},
            [0, *(categories.get(label, free + label) for label in range(1, len(self.classes)))],
            {PureWindowsPath(one["file_name"]).stem: image_id for image_id, one in self._images.items()},
        )

    def photo(self, image_id: str) -> Path:
        """The path of the photo; the file may be missing."""
        name = self._images[image_id]["file_name"]
        parts = PureWindowsPath(name)  # takes / and \\ alike
        places = [self.folder / one for one in (name, parts.as_posix(), parts.name)]
        return next(filter(os.path.isfile, places), places[0])

    def objects(self, image_id: str) -> Objects:
        """The objects of a photo, in the order of the file.

        Raises DataError where one of its annotations is malformed, and for a class that is none.
        """
        if image_id in self._faults:
            raise DataError(self._faults[image_id], file=f"{self.path}, image {image_id}")
        image = self._images[image_id]
        width, height = _side(image.get("width")), _side(image.get("height"))
        kept = [one for one in self.annotations[image_id] if self.label(one) is not None]
        return Objects(
            [_corners(one["bbox"], width, height) for one in kept],
            [self.label(one) for one in kept],
            crowd=[bool(one.get("iscrowd")) for one in kept],
            file=f"{self.path}, image {image_id}",
            size=(width, height) if width and height else None,
        )

    def coco_annotations(self, image_id: str) -> list[dict[str, Any]]:
        """The annotations of a photo's objects, each with its class for category_id. Raises DataError as `objects`."""
        labelled = [(self.label(one), one) for one in self.annotations[image_id]]
        return [{**one, "category_id": label} for label, one in labelled if label is not None]

    def label(self, annotation: Mapping[str, Any]) -> int | None:
        """The class of an annotation; None where it is left out. Raises DataError for a class that is none."""
        key = _key(annotation["category_id"])
        label = self._labels[key]
        if label is None and not self.skip_other_classes:
            raise UnknownClass(
                unknown_class(self._names[key], self.classes, True, self.annotated_names), file=str(self.path)
            )
        return label

    def _take(self, annotations: Sequence[Mapping[str, Any]]) -> None:
        """Sort the annotations by image."""
        empty, homeless = [], []
        for one in annotations:
            image_id = _key(one["image_id"])
            if image_id not in self._images:
                homeless.append(one)
            elif wrong := self._fault(one):
                self._faults.setdefault(image_id, f"annotation {one.get('id', '')} {wrong}")
            elif min(one["bbox"][2:]) > 0:
                kept = {key: one[key] for key in _KEPT if key in one}  # outlines take most of the memory
                self.annotations[image_id].append(kept)
            else:
                empty.append(one)
        if homeless and len(homeless) == len(annotations):
            raise DataError(
                f"its annotations are of other images than it has: the first one is of {homeless[0]['image_id']}, its "
                f"first image is {self.image_ids[0]}",
                file=str(self.path),
            )
        for left_out, why in (
            (empty, "without a width or height"),
            (homeless, "of images that it does not have"),
        ):
            if left_out:
                warnings.warn(
                    f"{self.path}: {len(left_out)} object(s) {why} are left out, the first is annotation "
                    f"{left_out[0].get('id', '')}",
                    stacklevel=3,
                )

    def _fault(self, one: Mapping[str, Any]) -> str | None:
        if _key(one.get("category_id")) not in self._names:
            return f"has category_id {one.get('category_id')}, which is not among the categories; mend it"
        box = one.get("bbox")
        if not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
            return f"has the bbox {box}; expected x, y, width and height, as in COCO's instances"
        return None


def _key(number: Any) -> str:
    """An id of an image or a category as text: files of some tools have 7.0 or "7" in one place and 7 in another."""
    return str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)


def _by_kind(number: int | str) -> tuple[bool, Any]:
    """Sorts numbers before texts."""
    return isinstance(number, str), number


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < 2**63  # neither NaN nor what no size is


def _side(value: Any) -> int:
    return int(value) if _is_number(value) else 0


def _corners(box: Sequence[float], width: int, height: int) -> list[int]:
    x1, y1 = math.floor(box[0]), math.floor(box[1])
    x2, y2 = (math.floor(box[i] + max(0, box[i + 2] - 1)) for i in (0, 1))
    return [_inside(x1, width), _inside(y1, height), _inside(x2, width), _inside(y2, height)]


def _inside(corner: int, side: int) -> int:
    return 0 if corner == -1 else corner - 1 if corner == side else corner


def _check_ids(path: Path, part: str, those: Sequence[Mapping[str, Any]], named: str) -> None:
    for one in those:
        number, name = one["id"], one[named]
        if not isinstance(number, int | float | str) or not isinstance(name, str) or "\0" in name:
            raise DataError(
                f"{part} has the id {number} with the {named} {name}; expected a number, and a text",
                file=str(path),
            )
    ids = Counter(_key(one["id"]) for one in those)
    twice = [key for key, count in ids.items() if count > 1]
    if twice:
        raise DataError(f"{part} has the id {twice[0]} twice", file=str(path))


def _read(path: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        content = parse_json(read_text(path, "the annotations"))
    except ValueError as error:
        raise DataError(f"this is no JSON ({error})", file=str(path)) from error
    fields = {"images": ("id", "file_name"), "categories": ("id", "name"), "annotations": ("image_id",)}
    for part, keys in fields.items():
        those = content.get(part) if isinstance(content, dict) else None
        if not isinstance(those, list) or not all(
            isinstance(one, dict) and all(key in one for key in keys) for one in those
        ):
            raise DataError(
                f"this is no file of COCO's instances: it needs '{part}', a list of objects with {', '.join(keys)}",
                file=str(path),
            )
        if part != "annotations":
            _check_ids(path, part, those, keys[1])
    if not content["images"]:
        raise DataError("there is no image in it", file=str(path))
    return content
