"""Photos: from a file to pixels, and from pixels to the image blob of a net."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import MAX_SIZE, PIXEL_MEANS, SCALE

_JPEG, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def read_photo(path: str | os.PathLike[str]) -> np.ndarray:
    """The pixels of a photo: height x width x 3 uint8, blue green red, turned upright where EXIF says so.

    Raises DataError where there is no such file, where OpenCV cannot decode it, or where a JPEG is cut off
    (OpenCV would fill what is missing with grey).
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(
            f"cannot read the photo: {reason}; check its name and place", file=str(path)
        ) from error
    if content.startswith(_JPEG) and content.rfind(_JPEG_END) < content.rfind(_JPEG_SCAN):
        raise DataError(
            f"the JPEG is cut off after {len(content)} bytes; copy it again or leave it out", file=str(path)
        )
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # an empty file, or more pixels than OpenCV takes
        image = None
    if image is None:
        raise DataError(
            f"not a photo that OpenCV can decode ({len(content)} bytes); copy it again or leave it out",
            file=str(path),
        )
    return image


def image_blob(images: Sequence[np.ndarray]) -> tuple[np.ndarray, list[float]]:
    """The `data` blob of photos, and the scale of each (scaled size / original size).

    `images`: height x width x 3 uint8, BGR. The pixel means are subtracted, then the photo is resized
    bilinearly so that its shorter side has 600 pixels, or its longer one 1000 where it would have more.
    The blob is N x 3 x H x W float32, H and W the largest of the batch; smaller photos lie in its upper
    left corner and the rest is 0, the mean colour.

    Raises DataError for a photo so thin that nothing of it is left at that scale.

    Source: the reference's utils/blob.py.
    """
    scales = [_scale(image) for image in images]
    scaled = [_subtract_and_resize(image, scale) for image, scale in zip(images, scales, strict=True)]
    height, width = (max(image.shape[axis] for image in scaled) for axis in (0, 1))
    blob = np.zeros((len(images), 3, height, width), np.float32)
    for plane, image in zip(blob, scaled, strict=True):
        plane[:, : image.shape[0], : image.shape[1]] = image.transpose(2, 0, 1)
    return blob, scales


def _scale(image: np.ndarray) -> float:
    height, width = image.shape[:2]
    shorter, longer = min(height, width), max(height, width)
    scale = SCALE / shorter
    if round(scale * longer) > MAX_SIZE:
        scale = MAX_SIZE / longer
    if round(scale * shorter) < 1:
        raise DataError(
            f"the photo has {width} x {height} pixels: scaled to {MAX_SIZE} pixels "
            "its shorter side vanishes; crop it or leave it out"
        )
    return scale


def _subtract_and_resize(image: np.ndarray, scale: float) -> np.ndarray:
    pixels = image.astype(np.float32)
    pixels -= PIXEL_MEANS
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
