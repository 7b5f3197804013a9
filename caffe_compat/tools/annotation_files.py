"""Reads the objects of an image from an annotation file: VOC's XML, COCO's JSON, or text.

Source: ReadXMLToAnnotatedDatum, ReadJSONToAnnotatedDatum and ReadTxtToAnnotatedDatum of the SSD fork of Caffe.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.voc import read_annotation
from caffe_compat.files import parse_json
from caffe_compat.prototxt.caffe_pb2 import AnnotatedDatum, Annotation, NormalizedBBox, NormalizedPolygon

logger = logging.getLogger("caffe_compat.tools")
CORNERS = ("xmin", "ymin", "xmax", "ymax")
INT = np.iinfo(np.int32)


class Size(NamedTuple):
    """An image's, in pixels."""

    height: int
    width: int


def add_xml(path: Path, size: Size, labels: Mapping[str, int], record: AnnotatedDatum) -> None:
    """Add the objects of an XML annotation, in its order, a group a class.

    Boxes are in parts of the size that the file gives, else of the image's. As in the original, an object's parts
    count in their order (`difficult` has to stand before `bndbox`), and a corner that is no whole number is 0, of
    which a warning tells. Raises DataError, which names the file.
    """
    root = read_annotation(path)
    if root.tag != "annotation":
        raise _error(path, f"has <{root.tag}>; expected <annotation>")
    stated = _whole(root.findtext("size/height")), _whole(root.findtext("size/width"))
    size = _size(path, size, stated)
    for element in root.findall("object"):
        _add_element(path, element, size, labels, record)


def _add_element(
    path: Path, element: Element, size: Size, labels: Mapping[str, int], record: AnnotatedDatum
) -> None:
    annotation, difficult = None, False
    for part in element:
        if part.tag == "name":
            annotation = _add(record, _label(path, part.text or "", labels))
        elif part.tag == "difficult":
            difficult = part.text == "1"
        elif part.tag == "bndbox":
            if annotation is None:
                raise _error(path, "an object has its bndbox before its name; write the name first")
            corners = [_corner(path, part, name) for name in CORNERS]
            annotation.bbox.CopyFrom(_box(path, corners, size, difficult))
            if part.find("x1") is not None:
                annotation.polygon.CopyFrom(_polygon(path, part, size))


def _polygon(path: Path, box: Element, size: Size) -> NormalizedPolygon:
    """x1 y1 to x4 y4 of a bndbox, in parts of the image. Source: ReadXMLToAnnotatedDatum of TextBoxes++' Caffe."""
    names = {
        f"{axis}{i}": side for i in range(1, 5) for axis, side in (("x", size.width), ("y", size.height))
    }
    return NormalizedPolygon(
        **{
            name: float(np.float32(_corner(path, box, name)) / np.float32(side))
            for name, side in names.items()
        }
    )


def add_json(path: Path, size: Size, labels: Mapping[str, int], record: AnnotatedDatum) -> None:
    """Add the objects of a JSON annotation: {"image": {"height", "width"}, "annotation": [{"category_id", "bbox"}]}.

    A bbox is x, y, width, height; a category_id is a name of the label map; `iscrowd` means difficult. Raises
    DataError, which names the file.
    """
    try:
        content = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _error(path, f"cannot read the annotation as JSON: {error}") from error
    image, objects = _of(content, "image"), _of(content, "annotation")
    if not isinstance(objects, list):
        raise _error(path, 'expected {"annotation": [...]}, a list of objects')
    stated = _whole(_of(image, "height")), _whole(_of(image, "width"))
    size = _size(path, size, stated)
    for one in objects:
        name, box = _of(one, "category_id"), _of(one, "bbox")
        if name is None or not isinstance(box, list) or len(box) != 4:
            raise _error(
                path, f"expected an object with category_id and bbox, four numbers; found {one!r:.80}"
            )
        annotation = _add(record, _label(path, str(name), labels))
        x, y, width, height = _numbers(path, box)
        corners = [x, y, x + width, y + height]
        annotation.bbox.CopyFrom(_box(path, corners, size, bool(_whole(_of(one, "iscrowd")))))


def add_text(path: Path, size: Size, record: AnnotatedDatum) -> None:
    """Add the objects of a text, a line each: label, xmin, ymin, xmax, ymax. Raises DataError, which names the line."""
    for words, number in _words(path):
        label = _whole(words[0])
        if len(words) != 5 or label is None:
            raise _error(path, f"expected label xmin ymin xmax ymax, found '{' '.join(words)}'", number)
        corners = _numbers(path, words[1:], number)
        _add(record, label).bbox.CopyFrom(_box(path, corners, size, False))


def _words(path: Path) -> Iterator[tuple[list[str], int]]:
    """The words of each line that has some, and its number."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="backslashreplace")
    except (OSError, ValueError) as error:
        raise _error(path, f"cannot read the annotation: {error}") from error
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield line.split(), number


def _add(record: AnnotatedDatum, label: int) -> Annotation:
    """A new object of this class, in the class's group."""
    groups = [group for group in record.annotation_group if group.group_label == label]
    group = groups[0] if groups else record.annotation_group.add(group_label=label)
    return group.annotation.add(instance_id=len(group.annotation))


def _box(path: Path, corners: Sequence[Any], size: Size, difficult: bool) -> NormalizedBBox:
    """In parts of the image, not clipped to it: warns of what is outside."""
    x1, y1, x2, y2 = corners
    found = f"bounding box {x1:g} {y1:g} {x2:g} {y2:g}"
    if min(corners) < 0 or max(x1, x2) > size.width or max(y1, y2) > size.height:
        logger.warning("%s: %s exceeds the image of %d x %d", path, found, size.width, size.height)
    if x1 > x2 or y1 > y2:
        logger.warning("%s: %s is irregular", path, found)
    parts = np.array(corners, np.float32) / np.array([size.width, size.height] * 2, np.float32)
    xmin, ymin, xmax, ymax = map(float, parts)
    return NormalizedBBox(xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax, difficult=difficult)


def _size(path: Path, image: Size, stated: tuple[int | None, int | None]) -> Size:
    """What the file says, else the image's; warns where they differ."""
    height, width = stated
    if height is None or width is None:
        logger.warning("%s: gives no size; taken from the image", path)
        return image
    if min(height, width) < 1:
        raise _error(path, f"gives the size {width} x {height}; correct it, or remove it for the image's own")
    if (height, width) != image:
        logger.warning(
            "%s: gives the size %d x %d, the image has %d x %d",
            path,
            width,
            height,
            image.width,
            image.height,
        )
    return Size(height, width)


def _label(path: Path, name: str, labels: Mapping[str, int]) -> int:
    if name not in labels:
        near = difflib.get_close_matches(name, labels, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "add it there"
        raise _error(path, f"an object has the name '{name}', which the label map does not have; {hint}")
    return labels[name]


def _corner(path: Path, box: Element, name: str) -> int:
    text = box.findtext(name)
    value = _whole(text)
    if value is None:
        found = f"'{text}'" if text else "missing"
        logger.warning("%s: %s is %s, no whole number; 0 is taken, as in the original", path, name, found)
    return value or 0


def _whole(value: Any) -> int | None:
    """A whole number of 32 bits, from text or JSON; None where it is none."""
    text = str(value).strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,10}", text) or not INT.min <= int(text) <= INT.max:
        return None
    return int(text)


def _numbers(path: Path, values: Sequence[Any], line: int | None = None) -> list[np.float32]:
    try:
        with np.errstate(over="ignore"):
            numbers = [np.float32(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        numbers = [np.float32(np.nan)]
    if not np.isfinite(numbers).all():
        raise _error(path, f"expected numbers, found {values!r:.80}", line)
    return numbers


def _of(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _error(path: Path, message: str, line: int | None = None) -> DataError:
    return DataError(message, str(path), line)
