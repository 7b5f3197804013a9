"""All that is wrong with a data set, and what is in it, found in one pass over its photos and annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from caffe_compat.engines.group import Group
from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.boxes import bbox_overlaps
from caffe_compat.fast_rcnn.build import OnPhoto, shared_out, silent
from caffe_compat.fast_rcnn.classes import ClassIndex
from caffe_compat.fast_rcnn.dataset import Dataset, Objects
from caffe_compat.fast_rcnn.faults import Fault, Inspected, inspect
from caffe_compat.fast_rcnn.images import read_photo, scale_of
from caffe_compat.fast_rcnn.proposals import Proposals

OVERLAP = 0.5  # of a proposal that covers an object, as detections are judged


@dataclass
class ClassOfObjects:
    """What there is of a class. sides: the shorter sides of its objects, in pixels of the photo.

    objects: without the difficult ones and crowds, which `ignored` counts. images: that have one. small: how many are
    less than a stride of the net wide or high. covered: how many some proposal overlaps by OVERLAP, or None.
    """

    name: str
    objects: int = 0
    ignored: int = 0
    images: int = 0
    small: int = 0
    covered: int | None = None
    sides: list[float] = field(default_factory=list)

    @property
    def median_side(self) -> float | None:
        """The median of the shorter sides; None without objects."""
        return float(np.median(self.sides)) if self.sides else None

    @property
    def recall(self) -> float | None:
        """The part of the objects that proposals cover; None without objects or proposals."""
        return self.covered / self.objects if self.covered is not None and self.objects else None


@dataclass(frozen=True)
class Pictured:
    """A photo with a fault, and all boxes that are annotated in it: N x 4."""

    path: str
    boxes: np.ndarray


@dataclass(frozen=True)
class Looked:
    """What was found in an image. unreadable: the fault of its photo, whose header could be read. covered: whether each
    object is covered by a proposal, bool; None without objects or proposals."""

    found: Inspected
    unreadable: Fault | None = None
    covered: np.ndarray | None = None


@dataclass
class Checked:
    """What `check` found. unknown: names of classes that the data set does not have, with how many objects each.

    repeated: the ids that stand more than once in the image set, with how often. pictured: the images with faults whose
    photo and annotation can be read, by id.
    """

    name: str
    images: int
    faults: list[Fault]
    classes: list[ClassOfObjects]
    unknown: dict[str, int]
    repeated: dict[str, int]
    pictured: dict[str, Pictured]

    @property
    def has_errors(self) -> bool:
        """Whether training on the data set would end with an error."""
        return bool(self.unknown) or any(fault.is_error for fault in self.faults)


def check(
    dataset: Dataset,
    stride: int = 16,
    sizes: Sequence[int] = (600, 1000),
    find: Proposals | None = None,
    on_photo: OnPhoto = silent,
    group: Group | None = None,
) -> Checked:
    """Look for all faults of a data set; none ends the search.

    stride: of the net, in its pixels. sizes: the shorter side that it gives photos, and the most for the longer one.
    find: the proposals of an image id and its photo, P x 4; their errors are faults of kind "photo". The workers of a
    group share the images out, and all get what was found; `on_photo` is told of this one's.
    """
    group = group or Group()
    image_ids = list(dict.fromkeys(dataset.image_ids))
    classes = [ClassOfObjects(name, covered=None if find is None else 0) for name in dataset.classes]
    faults: list[Fault] = []

    def look(image_id: str) -> Looked:
        found = inspect(dataset, image_id)
        if found.header is None:
            return Looked(found)
        try:
            image = read_photo(found.path)
            return Looked(
                found, None, None if find is None else _covered(find(image_id, image), found.objects)
            )
        except DataError as error:
            error.at(found.path)
            return Looked(found, Fault("photo", image_id, error))

    looked = shared_out(look, image_ids, group, on_photo)
    group.photos_read += sum(one.found.header is not None for one in group.share(looked))
    pictured: dict[str, Pictured] = {}
    for one in looked:
        found = one.found
        faults += [*found.faults, *([one.unreadable] if one.unreadable else [])]
        if found.faults and found.objects is not None and found.header is not None:
            pictured[found.image_id] = Pictured(found.path, found.objects.boxes)
        _count(classes, found, stride, sizes, one.covered)
    return Checked(
        dataset.name,
        len(image_ids),
        faults,
        classes[1:],
        _unknown(dataset),
        {one: count for one, count in Counter(dataset.image_ids).items() if count > 1},
        pictured,
    )


def _covered(proposals: np.ndarray, objects: Objects | None) -> np.ndarray | None:
    """Whether each object is covered by a proposal; None where there are none."""
    if objects is None or not len(proposals) or not len(objects.boxes):
        return None
    return bbox_overlaps(proposals, objects.boxes).max(axis=0) >= OVERLAP


def _count(
    classes: Sequence[ClassOfObjects],
    found: Inspected,
    stride: int,
    sizes: Sequence[int],
    covered: np.ndarray | None,
) -> None:
    objects, header = found.objects, found.header
    if objects is None:
        return
    scale = scale_of(*header.upright, *sizes) if header is not None else 1.0
    sides = (objects.boxes[:, 2:] - objects.boxes[:, :2] + 1).min(axis=1, initial=np.inf)
    if covered is None:
        covered = np.zeros(len(sides), bool)
    for label in np.unique(objects.classes):
        one, of_class = classes[label], objects.classes == label
        learned = of_class & ~objects.ignored
        one.images += 1
        one.objects += int(learned.sum())
        one.ignored += int((of_class & objects.ignored).sum())
        one.small += int((learned & (sides > 0) & (sides * scale < stride)).sum())
        one.sides += sides[learned & (sides > 0)].tolist()
        if one.covered is not None:
            one.covered += int((covered & learned).sum())


def _unknown(dataset: Dataset) -> dict[str, int]:
    index, names = ClassIndex(dataset.classes), getattr(dataset, "annotated_names", {})
    return {name: count for name, count in sorted(names.items()) if index.get(name) is None}
