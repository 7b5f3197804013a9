"""What is wrong with a photo of a data set and with what is annotated in it: for training and for check-data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.boxes import inside_photo
from caffe_compat.fast_rcnn.dataset import Dataset, Objects, UnknownClass, objects_of
from caffe_compat.fast_rcnn.photo_header import Header, read_header

_NAMED = 3  # faults that a message names


@dataclass(frozen=True)
class Kind:
    """A kind of fault. title: in the plural. is_error: whether no net can learn from such an image. way_out: or ""."""

    title: str
    is_error: bool
    way_out: str = ""


KINDS = {
    "photo": Kind("photos that cannot be read", True, "copy them again, or leave them out"),
    "annotation": Kind("annotations that cannot be read", True, "mend them, or leave them out"),
    "class": Kind("objects of other classes", True, "give their classes too, or --skip-other-classes"),
    "size": Kind(
        "annotations of a photo of another size",
        True,
        "scale their boxes, or mend <size> where these are right",
    ),
    "zero": Kind(
        "boxes that begin at pixel 0, where pixels count from 1",
        True,
        "a tool that counts from 0 wrote them: give --zero-based",
    ),
    "outside": Kind("boxes that are not inside the photo", True, "mend them"),
    "corners": Kind("boxes whose xmin is above xmax, or ymin above ymax", True, "mend them"),
    "turned": Kind("photos turned upright, as EXIF says, with their boxes", False),
    "swapped": Kind("annotations that take the photo's width for its height", False, "look at their boxes"),
    "repeated": Kind("boxes that stand twice in an annotation", False, "leave one out"),
    "unlearned": Kind("photos without an object to learn from", False),
}


@dataclass(frozen=True)
class Fault:
    """One fault. kind: of KINDS. error: says it, and names the file. box: x1 y1 x2 y2, 0-based, where it is of one."""

    kind: str
    image_id: str
    error: DataError
    box: tuple[float, ...] | None = None

    @property
    def is_error(self) -> bool:
        """Whether no net can learn from the image."""
        return KINDS[self.kind].is_error


@dataclass(frozen=True)
class Inspected:
    """An image with its faults. header: None where the photo cannot be read; objects: where the annotation cannot."""

    image_id: str
    path: str
    header: Header | None
    objects: Objects | None
    faults: Sequence[Fault]

    @property
    def errors(self) -> list[Fault]:
        """The faults for which no net can learn from the image."""
        return [fault for fault in self.faults if fault.is_error]


def inspect(dataset: Dataset, image_id: str) -> Inspected:
    """Read the annotation of an image and the header of its photo, and find all faults that these show."""
    header, objects, faults = None, None, []
    path = dataset.photo(image_id)
    try:
        header = read_header(path)
    except DataError as error:
        faults.append(Fault("photo", image_id, error))
    try:
        objects = objects_of(dataset, image_id)
    except DataError as error:
        kind = "class" if isinstance(error, UnknownClass) else "annotation"
        faults.append(Fault(kind, image_id, error))
    if header is not None and objects is not None:
        file = objects.file or str(path)
        faults += (
            Fault(kind, image_id, DataError(text, file=file), box)
            for kind, text, box in _faults(objects, header)
        )
    return Inspected(image_id, str(path), header, objects, faults)


def error_of(bad: Sequence[Inspected], total: int) -> DataError:
    """One error for all images that have some, of `total` images: it names the first few, and the ways out.

    An unknown class alone is what is wrong with all images that have it: its error is that.
    """
    faults = [one.errors[0] for one in bad]
    if len(bad) == 1 or all(fault.kind == "class" for fault in faults):
        return faults[0].error
    kinds = dict.fromkeys(fault.kind for one in bad for fault in one.errors)
    ways = [KINDS[kind].way_out for kind in kinds if kind == "zero"]
    return DataError(
        f"{len(bad)} of {total} images are bad: {named([str(fault.error) for fault in faults])}; "
        + "".join(f"{way}; " for way in ways)
        + "mend them, leave them out with --skip-bad-images, or see all by caffe-compat check-data"
    )


def named(texts: Sequence[str]) -> str:
    """The first few of some texts, and how many more there are."""
    more = f"; and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return "; ".join(texts[:_NAMED]) + more


def _faults(objects: Objects, header: Header) -> Iterator[tuple[str, str, tuple[float, ...] | None]]:
    """The kind, the text and the box of each fault."""
    (width, height), size = header.upright, objects.size
    if objects.turned:
        yield (
            "turned",
            f"the photo is turned to {width} x {height}, as its EXIF says, and its boxes too",
            None,
        )
    if size is not None and size != (width, height):
        if size == (height, width):
            yield "swapped", f"the annotation says {_by(size)} pixels, the photo has {width} x {height}", None
        else:
            yield (
                "size",
                f"the annotation is of a photo of {_by(size)} pixels, this one has {width} x {height}: its boxes "
                "would lie in the wrong places; scale them, or mend <size> where these are right",
                None,
            )
            return
    inside = inside_photo(objects.boxes, width, height)
    for box in objects.boxes[~inside]:
        yield _box_fault(box, objects.counts_from, width, height)
    labelled = np.column_stack((objects.boxes, objects.classes))
    _, first, counts = np.unique(labelled, axis=0, return_index=True, return_counts=True)
    for i in np.sort(first[counts > 1]):
        yield (
            "repeated",
            f"the box {_corners(objects.boxes[i], objects.counts_from)} stands twice",
            _tuple(objects.boxes[i]),
        )
    if objects.ignored.all():
        what = "it has difficult objects or crowds only" if len(objects.classes) else "it has no object"
        yield "unlearned", f"there is nothing to learn from: {what}", None


def _box_fault(
    box: np.ndarray, first: int, width: int, height: int
) -> tuple[str, str, tuple[float, ...] | None]:
    text = f"an object's box {_corners(box, first)}"
    place = f"the photo of {width} x {height} pixels; pixels count from {first}"
    x1, y1, x2, y2 = box
    if x1 > x2 or y1 > y2:
        return (
            "corners",
            f"{text} ends before it begins; xmin is at most xmax, ymin at most ymax; mend it",
            None,
        )
    if first == 1 and min(x1, y1) == -1 and x2 < width and y2 < height:
        return "zero", f"{text} is not inside {place}; {KINDS['zero'].way_out}", _tuple(box)
    return "outside", f"{text} is not inside {place}; mend it", _tuple(box)


def _corners(box: np.ndarray, first: int) -> str:
    names = ("xmin", "ymin", "xmax", "ymax")
    return " ".join(f"{name}={value + first:g}" for name, value in zip(names, box, strict=True))


def _tuple(box: np.ndarray) -> tuple[float, ...]:
    return tuple(map(float, box))


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
