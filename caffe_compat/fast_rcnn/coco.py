"""Reads data in COCO's form: one JSON file with the boxes of all photos (instances_train2017.json)."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.classes import BACKGROUND, ClassIndex, unknown_class
from caffe_compat.fast_rcnn.coco_numbers import CocoNumbers
from caffe_compat.fast_rcnn.dataset import Objects, UnknownClass
from caffe_compat.files import read_text

_KEPT = ("image_id", "category_id", "bbox", "area", "iscrowd")  # of an annotation


class CocoFile:
    """The photos of a file of COCO's instances, as a Dataset; `image_ids` are its images' ids, in its order, as text.

    path: the JSON. photos: the folder of the photos, by default the JSON's. classes: their names, the background's
    first; default: those of the file's categories, by ascending id. skip_other_classes: leave out the objects of all
    other classes.

    Fractions of pixels are cut off, and so is a pixel over the photo's edge; objects without a width or height are left
    out, and one warning says how many. Crowds (iscrowd) are `Objects.crowd`. Raises DataError, which names the file.

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
        self._names = {one["id"]: str(one["name"]).strip() for one in content["categories"]}
        own = dict.fromkeys(self._names[key] for key in sorted(self._names))
        self.classes = (BACKGROUND, *own) if classes is None else tuple(classes)
        index = ClassIndex(self.classes)
        self._labels = {key: index.get(name) for key, name in self._names.items()}
        self._images = {str(one["id"]): one for one in content["images"]}
        self.image_ids = list(self._images)
        self.annotations: dict[str, list[Mapping[str, Any]]] = {image_id: [] for image_id in self._images}
        self._take(content["annotations"])

    @cached_property
    def names(self) -> Counter[str]:
        """How often each name of a category stands in the annotations, be it one of `classes` or not."""
        return Counter(
            self._names[one["category_id"]] for those in self.annotations.values() for one in those
        )

    @cached_property
    def numbers(self) -> CocoNumbers:
        """The file's ids of images and categories."""
        categories = {label: key for key, label in self._labels.items() if label is not None}
        free = max(self._names, default=0) + 1  # for classes that are no category of this file
        return CocoNumbers(
            self.classes,
            {image_id: one["id"] for image_id, one in self._images.items()},
            [0, *(categories.get(label, free + label) for label in range(1, len(self.classes)))],
            {Path(one["file_name"]).stem: image_id for image_id, one in self._images.items()},
        )

    def photo(self, image_id: str) -> Path:
        """The path of the photo; the file may be missing."""
        name = Path(self._images[image_id]["file_name"])
        path = self.folder / name
        return path if path.is_file() or not (self.folder / name.name).is_file() else self.folder / name.name

    def objects(self, image_id: str) -> Objects:
        """The objects of a photo, in the order of the file. Raises DataError for a class that is none."""
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

    def label(self, annotation: Mapping[str, Any]) -> int | None:
        """The class of an annotation; None where it is left out. Raises DataError for a class that is none."""
        label = self._labels[annotation["category_id"]]
        if label is None and not self.skip_other_classes:
            name = self._names[annotation["category_id"]]
            raise UnknownClass(unknown_class(name, self.classes, True, self.names), file=str(self.path))
        return label

    def _take(self, annotations: Sequence[Mapping[str, Any]]) -> None:
        """Sort the annotations by image."""
        empty = []
        for one in annotations:
            wrong = self._fault(one)
            if wrong:
                raise DataError(f"annotation {one.get('id', '')} {wrong}", file=str(self.path))
            if min(one["bbox"][2:]) > 0:
                kept = {key: one[key] for key in _KEPT if key in one}  # outlines take most of the memory
                self.annotations[str(one["image_id"])].append(kept)
            else:
                empty.append(one.get("id"))
        if empty:
            warnings.warn(
                f"{self.path}: {len(empty)} object(s) without a width or height are left out, the first is annotation "
                f"{empty[0]}",
                stacklevel=3,
            )

    def _fault(self, one: Mapping[str, Any]) -> str | None:
        if str(one.get("image_id")) not in self._images:
            return f"is of image {one.get('image_id')}, which is not among the images"
        if one.get("category_id") not in self._names:
            return f"has category_id {one.get('category_id')}, which is not among the categories"
        box = one.get("bbox")
        if not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
            return f"has the bbox {box}; expected x, y, width and height, as in COCO's instances"
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _side(value: Any) -> int:
    return int(value) if _is_number(value) else 0


def _corners(box: Sequence[float], width: int, height: int) -> list[int]:
    x1, y1 = math.floor(box[0]), math.floor(box[1])
    x2, y2 = (math.floor(box[i] + max(0, box[i + 2] - 1)) for i in (0, 1))
    return [_inside(x1, width), _inside(y1, height), _inside(x2, width), _inside(y2, height)]


def _inside(corner: int, side: int) -> int:
    return 0 if corner == -1 else corner - 1 if corner == side else corner


def _read(path: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        content = json.loads(read_text(path, "the annotations"))
    except (ValueError, RecursionError) as error:
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
        ids = Counter(str(one.get("id")) for one in those)
        twice = [key for key, count in ids.items() if count > 1]
        if twice and part != "annotations":
            raise DataError(f"{part} has the id {twice[0]} twice", file=str(path))
    if not content["images"]:
        raise DataError("there is no image in it", file=str(path))
    return content
