"""distort_param of transform_param: colours changed at random, as AnnotatedData does before all else."""

from __future__ import annotations

import math

import cv2
import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.prototxt.caffe_pb2 import DistortionParameter as Param
from caffe_compat.rng import Rng

BLUR_AND_SALT = (
    "gaussian_prob",
    "gaussian_size_min",
    "gaussian_size_max",
    "gaussian_sigma",
    "salt_prob",
    "salt_num",
)
MOST_SIZE = 1000  # of a blur, in pixels


def check_distortion(owner: ErrorFactory, param: Param) -> None:
    """Raise owner's error where a range is none."""
    for name in ("contrast", "saturation"):
        low, high = getattr(param, f"{name}_lower"), getattr(param, f"{name}_upper")
        if getattr(param, f"{name}_prob") > 0 and not 0 <= low <= high:
            raise owner.error(
                f"{name} goes from {low:g} to {high:g}; expected at least 0, from lower to upper"
            )
    if param.gaussian_prob > 0 and not 0 <= param.gaussian_size_min <= param.gaussian_size_max < MOST_SIZE:
        raise owner.error(
            f"gaussian_size goes from {param.gaussian_size_min:g} to {param.gaussian_size_max:g}; expected at least 0, "
            "from min to max"
        )
    if not 0 <= param.salt_num < np.inf:
        raise owner.error(f"salt_num is {param.salt_num:g}; expected at least 0")
    for name in ("brightness", "hue"):
        if getattr(param, f"{name}_prob") > 0 and not 0 <= getattr(param, f"{name}_delta") <= 255:
            raise owner.error(
                f"{name}_delta is {getattr(param, f'{name}_delta'):g}; expected at least 0, 255 at most"
            )


def distorted(image: np.ndarray, param: Param, rng: Rng) -> np.ndarray:
    """A BGR image (height x width x 3, uint8) with other brightness, contrast, saturation, hue, order of channels.

    Each has its own prob; contrast comes second or, every second time, fourth. Where a field of weiSupreme's is
    given, a blur and up to salt_num black pixels follow.
    Source: ApplyDistort of the SSD fork of Caffe, and of weiSupreme's; these shuffle channels and choose pixels by C's
    rand() where this draws from rng.
    """
    early = rng.number(0, 1) > 0.5
    steps = [_brightness, _saturation, _hue]
    steps.insert(1 if early else 3, _contrast)
    for step in steps:
        image = step(image, param, rng)
    if rng.number(0, 1) < np.float32(param.random_order_prob):
        order = np.arange(3)
        for i in (1, 2):
            j = rng.draw() % (i + 1)
            order[[i, j]] = order[[j, i]]
        image = np.ascontiguousarray(image[:, :, order])
    if any(param.HasField(name) for name in BLUR_AND_SALT):
        image = _salted(_blurred(image, param, rng), param, rng)
    return image


def _blurred(image: np.ndarray, param: Param, rng: Rng) -> np.ndarray:
    if not rng.number(0, 1) < np.float32(param.gaussian_prob):
        return image
    size = int(rng.number(param.gaussian_size_min, param.gaussian_size_max)) | 1
    return cv2.GaussianBlur(image, (size, size), param.gaussian_sigma, sigmaY=param.gaussian_sigma)


def _salted(image: np.ndarray, param: Param, rng: Rng) -> np.ndarray:
    if not rng.number(0, 1) < np.float32(param.salt_prob):
        return image
    count = math.ceil(np.float32(param.salt_num) * rng.number(0, 1))
    draws = np.empty((count, 2), np.uint32)
    rng.raw(draws)
    image = image.copy()
    image[draws[:, 1] % image.shape[0], draws[:, 0] % image.shape[1]] = 0
    return image


def _brightness(image: np.ndarray, param: Param, rng: Rng) -> np.ndarray:
    if not rng.number(0, 1) < np.float32(param.brightness_prob):
        return image
    delta = rng.number(-param.brightness_delta, param.brightness_delta)
    return _line(1, delta)[image]


def _contrast(image: np.ndarray, param: Param, rng: Rng) -> np.ndarray:
    if not rng.number(0, 1) < np.float32(param.contrast_prob):
        return image
    factor = rng.number(param.contrast_lower, param.contrast_upper)
    return _line(factor, 0)[image] if abs(factor - 1) > 1e-3 else image


def _saturation(image: np.ndarray, param: Param, rng: Rng) -> np.ndarray:
    if not rng.number(0, 1) < np.float32(param.saturation_prob):
        return image
    factor = rng.number(param.saturation_lower, param.saturation_upper)
    return _in_hsv(image, 1, _line(factor, 0))


def _hue(image: np.ndarray, param: Param, rng: Rng) -> np.ndarray:
    if not rng.number(0, 1) < np.float32(param.hue_prob):
        return image
    delta = rng.number(-param.hue_delta, param.hue_delta)
    return _in_hsv(image, 0, _line(1, delta)) if delta else image


def _line(factor: float | np.float32, offset: float | np.float32) -> np.ndarray:
    """What each byte becomes when it is multiplied and moved, as a table."""
    values = np.arange(256, dtype=np.float32) * np.float32(factor) + np.float32(offset)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _in_hsv(image: np.ndarray, channel: int, table: np.ndarray) -> np.ndarray:
    planes = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    planes[:, :, channel] = table[planes[:, :, channel]]
    return cv2.cvtColor(planes, cv2.COLOR_HSV2BGR)
