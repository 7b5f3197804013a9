"""Images for the tools, from an LMDB of Datums or from the files of a list."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from caffe_compat.layers.data.datums import pixels, read_datum
from caffe_compat.layers.data.image_data import read_list
from caffe_compat.layers.data.image_files import read_image
from caffe_compat.layers.data.records import Records
from caffe_compat.tools.file_errors import FileErrors


@dataclass(frozen=True)
class Reading:
    """How image files are read: in colour (BGR) or grey, resized to height x width where both are positive.

    min_dim and max_dim, where one is positive, stand instead of these: the image keeps its ratio, its shorter side is
    at least min_dim, and its longer one, which counts more, at most max_dim.
    Source: ReadImageToCVMat of the SSD fork of Caffe.
    """

    color: bool = True
    height: int = 0
    width: int = 0
    min_dim: int = 0
    max_dim: int = 0

    @property
    def keeps_size(self) -> bool:
        return not (self.height or self.width or self.min_dim or self.max_dim)

    def read(self, owner: FileErrors, path: str, place: str) -> np.ndarray:
        """Height x width x channels, uint8. Raises DataError that names the place where the file is listed."""
        return self.resized(owner, self.load(owner, path, place), place)

    def load(self, owner: FileErrors, path: str, place: str) -> np.ndarray:
        """As `read`, before it is resized."""
        return read_image(owner, path, cv2.IMREAD_COLOR if self.color else cv2.IMREAD_GRAYSCALE, place)

    def resized(self, owner: FileErrors, image: np.ndarray, place: str) -> np.ndarray:
        height, width, channels = image.shape
        try:
            if self.min_dim > 0 or self.max_dim > 0:
                scale = self._scale(min(height, width), max(height, width))
                image = image if scale == 1 else cv2.resize(image, None, fx=scale, fy=scale)
            elif self.height > 0 and self.width > 0:
                image = cv2.resize(image, (self.width, self.height))
        except cv2.error as error:
            raise owner.error(f"{place}: an image of {width} x {height} cannot be resized so") from error
        return image.reshape(*image.shape[:2], channels)

    def _scale(self, shorter: int, longer: int) -> float:
        scale = np.float32(1)
        if self.min_dim > 0 and shorter < self.min_dim:
            scale = np.float32(self.min_dim) / np.float32(shorter)
        if 0 < self.max_dim < int(scale * np.float32(longer)):
            scale = np.float32(self.max_dim) / np.float32(longer)
        return float(scale)


def images(source: str, root: str = "", reading: Reading | None = None) -> Iterator[tuple[np.ndarray, str]]:
    """Each image of an LMDB, or of a list of image files below `root`: channels x height x width, and its name.

    Raises DataError where something cannot be read.
    """
    about = FileErrors(source)
    if is_database(source):
        for key, value in Records(about, source):
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
