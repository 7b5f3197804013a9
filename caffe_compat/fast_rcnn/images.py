"""Photos: from a file to pixels, and from pixels to the image blob of a net."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from caffe_compat.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm")  # of photos, in small letters
_JPEG, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def read_photo(path: str | os.PathLike[str], as_stored: bool = False) -> np.ndarray:
    """The pixels of a photo: height x width x 3 uint8, blue green red, turned upright where EXIF says so.

    as_stored: not turned (a TIFF is, even so).

    Raises DataError where there is no such file, where OpenCV cannot decode it, and where a JPEG is truncated (OpenCV
    would fill the missing part with grey).
    """
    with open_photo(path) as file:
        content = file.read()
    if content.startswith(_JPEG) and content.rfind(_JPEG_END) < content.rfind(_JPEG_SCAN):
        raise DataError(
            f"the JPEG is cut off after {len(content)} bytes; copy it again or leave it out", file=str(path)
        )
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if as_stored else 0)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:  # an empty file, or more pixels than OpenCV takes
        image = None
    if image is None:
        raise DataError(
            f"not a photo that OpenCV can decode ({len(content)} bytes); copy it again or leave it out",
            file=str(path),
        )
    return image


@contextmanager
def open_photo(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """The file of a photo. Raises DataError, inside too, where it cannot be read."""
    try:
        with open(path, "rb") as file:
            yield file
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(
            f"cannot read the photo: {reason}; check its name and place", file=str(path)
        ) from error


def photo_paths(names: Sequence[str]) -> list[str]:
    """The paths of photos: a folder stands for the photos in it, a glob pattern for those that match, both sorted.

    Any other name is that of a photo. Raises DataError for a folder or a pattern without photos.
    """
    paths: list[str] = []
    for name in names:
        if os.path.isdir(name):
            found = sorted(str(path) for path in Path(name).iterdir() if path.suffix.lower() in SUFFIXES)
        elif os.path.exists(name) or not glob.has_magic(name):
            found = [name]
        else:
            found = sorted(filter(os.path.isfile, glob.glob(name, recursive=True)))
        if not found:
            raise DataError(f"no photos there; photos end in {' '.join(SUFFIXES)}", file=name)
        paths += found
    return paths


def image_blob(
    images: Sequence[np.ndarray], sizes: Sequence[int], max_size: int, pixel_means: Sequence[float]
) -> tuple[np.ndarray, list[float]]:
    """The `data` blob of photos, and the scale of each (scaled size / original size).

    `images`: N photos, height x width x 3 uint8, BGR. `sizes`: for each, the pixels of its shorter side after scaling;
    where the longer side would then have more than max_size, that one gets max_size. The pixel means are subtracted
    before the photo is resized bilinearly. The blob is N x 3 x H x W float32, with the largest height and width of the
    batch; smaller photos lie in its upper left corner, and the rest is 0, the mean colour.

    Raises DataError for a photo so thin that no pixel of it is left at that scale.

    Source: the reference's utils/blob.py.
    """
    scales = [
        scale_of(image.shape[1], image.shape[0], size, max_size)
        for image, size in zip(images, sizes, strict=True)
    ]
    scaled = [_subtract_and_resize(*pair, pixel_means) for pair in zip(images, scales, strict=True)]
    height, width = (max(image.shape[axis] for image in scaled) for axis in (0, 1))
    blob = np.zeros((len(images), 3, height, width), np.float32)
    for plane, image in zip(blob, scaled, strict=True):
        plane[:, : image.shape[0], : image.shape[1]] = image.transpose(2, 0, 1)
    return blob, scales


def scale_of(width: int, height: int, size: int, max_size: int) -> float:
    """Pixels in the net for one of a photo of width x height pixels, as `image_blob` scales it. Raises DataError."""
    shorter, longer = min(height, width), max(height, width)
    scale = size / shorter
    if round(scale * longer) > max_size:
        scale = max_size / longer
    if round(scale * shorter) < 1:
        raise DataError(
            f"the photo has {width} x {height} pixels: scaled to {max_size} pixels "
            "its shorter side vanishes; crop it or leave it out"
        )
    return scale


def _subtract_and_resize(image: np.ndarray, scale: float, pixel_means: Sequence[float]) -> np.ndarray:
    pixels = image.astype(np.float32)
    pixels -= np.array(pixel_means)
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
