"""The numbers of images and classes in COCO's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Number = int | str


@dataclass(frozen=True)
class CocoNumbers:
    """The numbers of a data set's images and classes in COCO's result format.

    By default image ids of digits only become numbers, as in COCO, and a category's id is the index of its class.

    images: image id -> number. categories: the numbers of the classes, the background's first. stems: the names of the
    photos' files without the suffix -> image id.
    """

    classes: Sequence[str]
    images: Mapping[str, Number] = field(default_factory=dict)
    categories: Sequence[Number] = ()
    stems: Mapping[str, str] = field(default_factory=dict)

    def image(self, image_id: str) -> Number:
        """The number of an image."""
        return self.images.get(image_id, int(image_id) if image_id.isdecimal() else image_id)

    def category(self, label: int) -> Number:
        """The number of a class, by its index."""
        return self.categories[label] if self.categories else label
