"""Images for the tools, from an LMDB of Datums or from the files of a list."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from caffe_compat.layers.data.datums import open_database, pixels, read_datum
from caffe_compat.layers.data.image_data import read_list
from caffe_compat.layers.data.transformer import read_image
from caffe_compat.tools.file_errors import FileErrors


@dataclass(frozen=True)
class Reading:
    """How image files are read: in colour (BGR) or grey, resized to height x width where both are positive."""

    color: bool = True
    height: int = 0
    width: int = 0

    def read(self, owner: FileErrors, path: str, place: str) -> np.ndarray:
        """Height x width x channels, uint8. Raises DataError that names the place where the file is listed."""
        image = read_image(owner, path, cv2.IMREAD_COLOR if self.color else cv2.IMREAD_GRAYSCALE, place)
        if self.height > 0 and self.width > 0:
            image = cv2.resize(image, (self.width, self.height)).reshape(self.height, self.width, -1)
        return image


def images(source: str, root: str = "", reading: Reading | None = None) -> Iterator[tuple[np.ndarray, str]]:
    """Each image of an LMDB, or of a list of image files below `root`: channels x height x width, and its name.

    Raises DataError where something cannot be read.
    """
    about = FileErrors(source)
    if is_database(source):
        for key, value in open_database(about, source):
            datum, name = read_datum(about, source, key, value)
            yield pixels(about, datum, name), name
    else:
        for entry in read_list(about, source):
            image = (reading or Reading()).read(about, os.path.join(root, entry.path), entry.place)
            yield image.transpose(2, 0, 1), f"{entry.place}: '{entry.path}'"


def is_database(source: str) -> bool:
    """Whether a path is an LMDB's: its folder, or its file."""
    if os.path.isdir(source):
        return True
    try:
        with open(source, "rb") as file:
            return b"\0" in file.read(64)
    except OSError:
        return False
