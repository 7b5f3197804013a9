"""Files of images, and what is in them."""

from __future__ import annotations

import cv2
import numpy as np

from caffe_compat.errors import ErrorFactory


def decode(owner: ErrorFactory, content: bytes, flag: int, name: str) -> np.ndarray:
    """An image file's content as an array of height x width x channels (BGR), uint8.

    flag: cv2.IMREAD_COLOR, IMREAD_GRAYSCALE or IMREAD_UNCHANGED. Raises owner's error where it is no image.
    """
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flag) if content else None
    except cv2.error:  # of more pixels than it takes
        image = None
    if image is None:
        raise owner.error(f"{name} is no image that OpenCV can decode")
    if image.dtype != np.uint8:
        raise owner.error(f"{name} has pixels of {image.dtype}; only 8 bits are read")
    return image if image.ndim == 3 else image[:, :, None]


def read_image(owner: ErrorFactory, path: str, flag: int, place: str) -> np.ndarray:
    """The image of a file, as `decode` gives it. place: where the file is named, for errors."""
    return decode(owner, read_image_file(owner, path, place), flag, f"{place}: '{path}'")


def read_image_file(owner: ErrorFactory, path: str, place: str) -> bytes:
    """The content of a file. Raises owner's error, with the place where it is named."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise owner.error(f"{place}: cannot read the image '{path}': {error.strerror}") from error
