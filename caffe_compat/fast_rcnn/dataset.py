"""What a data set is: photos, and what is annotated in them. voc.Devkit is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Annotation:
    """The objects of a photo that a net learns from, without difficult ones.

    boxes: G x 4 float32, x1 y1 x2 y2 in pixels, 0-based, both corners inside. classes: G int32, indices into the data
    set's classes.
    """

    boxes: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True)
class GroundTruth:
    """All objects of a photo, as the evaluation takes them.

    boxes: G x 4 float64, x1 y1 x2 y2 in pixels that count from 1, both corners inside. classes: G int32, indices into
    the data set's classes. difficult: G bool.
    """

    boxes: np.ndarray
    classes: np.ndarray
    difficult: np.ndarray


class Dataset(Protocol):
    """Photos in a fixed order, each with an image id, and the objects annotated in them."""

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

    def annotation(self, image_id: str, width: int, height: int) -> Annotation:
        """The objects of a photo of width x height pixels. Raises DataError, which names the file."""

    def truth(self, image_id: str) -> GroundTruth:
        """The objects of a photo, difficult ones too. Raises DataError, which names the file."""
